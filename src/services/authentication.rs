//! Starting, continuing and ending sessions.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{
    DeviceInfo, EmailAddress, Lifetimes, Password, RotationPolicy, Session, SessionEnd, SessionId, TokenPair,
    User,
};
use crate::ports::{Clock, Rotation, Sessions, Tokens, Unexpected};
use crate::services::limits::GuessError;
use crate::services::passwords::Passwords;
use crate::services::posting::Posting;
use crate::services::{Limits, Mirror, RateLimited, Sightings};

/// The use cases `login`, `refresh`, `logout` and `revokeSession`.
pub struct Authentication {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) sightings: Arc<Sightings>,
    pub(crate) tokens: Arc<dyn Tokens>,
    pub(crate) posting: Arc<Posting>,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) rotation: RotationPolicy,
}

/// A session has begun.
#[derive(Debug)]
pub struct LoginSuccess {
    /// Whose it is.
    pub user: User,
    /// Which one it is.
    pub session_id: SessionId,
    /// Its tokens.
    pub tokens: TokenPair,
    /// What the device shall keep to be known again, where accounts have limits.
    pub device_token: Option<String>,
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Address and password do not belong together. The same for an unknown address and for a disabled account.
    #[error("e-mail address and password do not match")]
    InvalidCredentials,
    /// They do, and the operator wants the address confirmed first.
    #[error("the e-mail address has to be confirmed first, with the link that was mailed to it")]
    EmailNotVerified,
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Why a refresh token was refused.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Unknown, expired, or of a session that has ended.
    #[error("the refresh token does not work, or no longer")]
    Invalid,
    /// It had been used before; its session has just been ended.
    #[error("the refresh token had been used before, so its session was ended")]
    Reused,
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Which sessions are to end.
#[derive(Debug)]
pub struct LogoutRequest<'a> {
    /// Names the session, if it is given.
    pub refresh_token: Option<&'a str>,
    /// Names the session otherwise. It may have expired.
    pub access_token: Option<&'a str>,
    /// Whether every other session of the account ends as well.
    pub everywhere: bool,
}

impl Authentication {
    /// Starts a session. An unknown address costs what a known one does.
    ///
    /// # Errors
    /// See [`LoginError`].
    #[instrument(name = "service.login", skip_all)]
    pub async fn login(
        &self,
        email: &EmailAddress,
        password: Password,
        device: &DeviceInfo,
    ) -> Result<LoginSuccess, LoginError> {
        let checked = self.passwords.check(email, password, device).await?;
        let checked = checked.ok_or(LoginError::InvalidCredentials)?;
        let user = checked.user;
        // Told only to somebody who knows the password.
        if !self.rotation.requirement.is_met_by(&user) {
            return Err(LoginError::EmailNotVerified);
        }
        let now = self.clock.now();
        let session = Session::start(user.id, self.lifetimes, now);
        // Stored before it is signed: no token is about whose session could be lost.
        if !self.sessions.start(&session, checked.password_version, device).await? {
            return Err(LoginError::InvalidCredentials);
        }
        let tokens = self.tokens.issue(&session, now)?;
        tracing::info!(user.id = %user.id, session.id = %session.id, "signed in");
        let device_token = self.limits.remember(email, device);
        Ok(LoginSuccess { user, session_id: session.id, tokens, device_token })
    }

    /// Swaps a refresh token for the next pair. A repeat within the replay window gets the same refresh token again.
    ///
    /// # Errors
    /// See [`RefreshError`].
    #[instrument(name = "service.refresh", skip_all)]
    pub async fn refresh(&self, refresh_token: &str, device: &DeviceInfo) -> Result<TokenPair, RefreshError> {
        let presented = self.tokens.read_refresh(refresh_token).map_err(|_| RefreshError::Invalid)?;
        self.limits.reserve_refresh(presented.session_id).await?;
        self.sightings.settle(presented.session_id).await?;
        let now = self.clock.now();
        match self.sessions.rotate(presented, device, self.rotation, now).await? {
            Rotation::Rotated(session) | Rotation::Replayed(session) => {
                Ok(self.tokens.issue(&session, now)?)
            }
            Rotation::Refused => Err(RefreshError::Invalid),
            Rotation::Reused(session, mail) => {
                tracing::warn!(
                    user.id = %session.user_id,
                    session.id = %session.id,
                    "a used refresh token came back; the session was ended"
                );
                self.posting.announce(mail);
                self.mirror.revoke(&[session.id]).await;
                Err(RefreshError::Reused)
            }
        }
    }

    /// Ends sessions and answers how many. A token that is unknown, or of a session that has ended, ends none.
    ///
    /// # Errors
    /// [`Unexpected`] when the end could not be made durable; repeating the request is safe.
    #[instrument(name = "service.logout", skip_all)]
    pub async fn logout(&self, request: LogoutRequest<'_>) -> Result<usize, Unexpected> {
        let Some(session) = self.session_of(&request) else { return Ok(0) };
        let now = self.clock.now();
        let ended = if request.everywhere {
            self.sessions.end_siblings(session, SessionEnd::Logout, now).await?
        } else {
            self.sessions.end(session, SessionEnd::Logout, now).await?
        };
        if !ended.is_empty() {
            tracing::info!(session.id = %session, ended = ended.len(), "signed out");
        }
        // Also when it had ended before: the request that ended it may have been cut off before it could tell the others.
        let also = (!ended.contains(&session)).then_some(session);
        let dead: Vec<SessionId> = ended.iter().copied().chain(also).collect();
        self.mirror.revoke(&dead).await;
        Ok(ended.len())
    }

    fn session_of(&self, request: &LogoutRequest<'_>) -> Option<SessionId> {
        if let Some(text) = request.refresh_token {
            return self.tokens.read_refresh(text).ok().map(|token| token.session_id);
        }
        let text = request.access_token?;
        self.tokens.read_expired_access(text).ok().map(|token| token.session_id)
    }
}

impl From<GuessError> for LoginError {
    fn from(error: GuessError) -> Self {
        match error {
            GuessError::RateLimited(limited) => Self::RateLimited(limited),
            GuessError::Unexpected(error) => Self::Unexpected(error),
        }
    }
}
