//! What an operator does with sessions.

use std::sync::Arc;

use tracing::instrument;

use super::{Mirror, Signing, SigningError};
use crate::ports::UserDirectory;

/// How many sessions end in one statement.
const BATCH: u32 = 2000;

/// The commands `authql sessions …`.
pub struct SessionDesk {
    pub(crate) directory: Arc<dyn UserDirectory>,
    pub(crate) signing: Signing,
    pub(crate) mirror: Mirror,
}

/// What was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenBack {
    /// How many sessions were ended.
    pub sessions: usize,
    /// How many signing keys were retired.
    pub keys: usize,
}

impl SessionDesk {
    /// Ends every session that has begun, and replaces the signing keys: those may have signed access tokens of sessions that
    /// no row tells of, after the database was brought back from a backup. Sessions that begin
    /// meanwhile may end with them.
    ///
    /// # Errors
    /// See [`SigningError`]; repeating it is safe.
    #[instrument(name = "service.end_all_sessions", skip_all)]
    pub async fn end_all(&self) -> Result<TakenBack, SigningError> {
        let now = self.directory.now().await?;
        let (mut sessions, mut last) = (0, None);
        loop {
            let ended = self.directory.end_sessions(last, BATCH, now).await?;
            if ended.is_empty() {
                break;
            }
            self.mirror.revoke(&ended).await;
            (sessions, last) = (sessions + ended.len(), ended.last().copied());
        }
        Ok(TakenBack { sessions, keys: self.signing.replace_all().await? })
    }
}
