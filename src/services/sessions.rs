//! What people see of their sessions.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{
    Caller, ListedSession, Listing, Page, SessionEnd, SessionId, SessionPlace, UserId, Viewer,
};
use crate::ports::{Clock, SessionDirectory, Sessions, Unexpected};
use crate::services::limits::{Attempt, from_limit_error};
use crate::services::{Limits, Mirror, RateLimited, events};

/// The use cases behind `User.sessions`, `node` and `revokeSession`.
pub struct OwnSessions {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) directory: Arc<dyn SessionDirectory>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) limits: Arc<Limits>,
}

/// Why a session was not ended.
#[derive(Debug, thiserror::Error)]
pub enum EndSessionError {
    /// There is no such session, it has ended, or it is somebody else's.
    #[error("there is no such session")]
    NotFound,
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl OwnSessions {
    /// A page of the live sessions of an account.
    ///
    /// # Errors
    /// [`Unexpected`] when they could not be read.
    #[instrument(name = "service.list_sessions", skip_all)]
    pub async fn list(
        &self,
        owner: UserId,
        page: Page<SessionPlace>,
    ) -> Result<Listing<ListedSession>, Unexpected> {
        let found = self.directory.list(owner, page.widened(), self.clock.now()).await?;
        Ok(page.cut(found))
    }

    /// A live session of this account. `None` for one of somebody else.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be read.
    pub async fn find(&self, owner: UserId, id: SessionId) -> Result<Option<ListedSession>, Unexpected> {
        self.directory.find(owner, id, self.clock.now()).await
    }

    /// Ends one of the viewer's sessions, which may be the one that asks.
    ///
    /// # Errors
    /// See [`EndSessionError`].
    #[instrument(name = "service.end_session", skip_all)]
    pub async fn end(
        &self,
        viewer: Viewer,
        id: SessionId,
        caller: &Caller,
    ) -> Result<ListedSession, EndSessionError> {
        self.limits.reserve(Attempt::Write(viewer.user_id), caller).await?;
        let now = self.clock.now();
        // Whose it is never changes, so it may be asked for before.
        let session = self.directory.find(viewer.user_id, id, now).await?.ok_or(EndSessionError::NotFound)?;
        let ended = self.sessions.end(id, SessionEnd::Revoked, caller, now).await?;
        if ended.is_empty() {
            return Err(EndSessionError::NotFound);
        }
        events::log(SessionEnd::Revoked.event(), Some(viewer.user_id), Some(id), caller);
        self.mirror.revoke(&ended).await;
        Ok(session)
    }
}

from_limit_error!(EndSessionError);
