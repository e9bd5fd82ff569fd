//! The guard in front of everything that needs a session.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{Caller, Viewer};
use crate::ports::{Clock, Sessions, TokenError, Tokens, Unexpected};
use crate::services::limits::{Attempt, from_limit_error};
use crate::services::{Limits, Mirror, RateLimited, Sightings, Standing};

/// Decides whom a request acts as.
pub struct Access {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: Arc<dyn Tokens>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) sightings: Arc<Sightings>,
    pub(crate) limits: Arc<Limits>,
}

/// Why a request acts as nobody.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no access token.
    #[error("this needs an access token")]
    TokenMissing,
    /// It is not one of ours.
    #[error("the access token is not valid")]
    TokenInvalid,
    /// Its time is over.
    #[error("the access token has expired")]
    TokenExpired,
    /// Its session has been ended, or its account shut.
    #[error("the session has ended")]
    SessionEnded,
    /// There were too many requests, with this token or with none that is ours.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl Access {
    /// Checks an access token and that its session lives.
    ///
    /// No round trip, unless the mirror of revocations may be out of date: then the session's row is asked for.
    ///
    /// # Errors
    /// See [`AccessError`].
    #[instrument(name = "service.access", skip_all)]
    pub async fn check(&self, access_token: Option<&str>, caller: &Caller) -> Result<Viewer, AccessError> {
        let now = self.clock.now();
        let read = match access_token {
            Some(text) => self.tokens.read_access(text, now).map_err(|error| match error {
                TokenError::Invalid => AccessError::TokenInvalid,
                TokenError::Expired => AccessError::TokenExpired,
            }),
            None => Err(AccessError::TokenMissing),
        };
        let token = match read {
            Ok(token) => token,
            // Not one that has expired: whoever has it is to learn that, whatever their neighbours do.
            Err(error @ (AccessError::TokenInvalid | AccessError::TokenMissing)) => {
                self.limits.reserve(Attempt::Worthless, caller).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        self.limits.reserve(Attempt::Enter(token.session_id), caller).await?;
        let is_live = match self.mirror.standing(token.session_id) {
            Standing::Live => true,
            Standing::Ended => false,
            Standing::Unknown => self.sessions.is_live(token.session_id, now).await?,
        };
        if !is_live {
            return Err(AccessError::SessionEnded);
        }
        self.sightings.note(token.session_id, token.generation);
        Ok(Viewer { user_id: token.user_id, session_id: token.session_id })
    }
}

from_limit_error!(AccessError);
