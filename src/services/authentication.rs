//! Starting, continuing and ending sessions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracing::instrument;

use crate::domain::{
    Caller, EmailAddress, EventKind, EventSubject, Lifetimes, Password, RotationPolicy, Session, SessionCap,
    SessionEnd, SessionId, TokenPair, User, UserId,
};
use crate::ports::{Clock, NewSession, Rotation, Sessions, Started, Tokens, Unexpected};
use crate::services::limits::{Attempt, from_limit_error};
use crate::services::passwords::Passwords;
use crate::services::posting::Posting;
use crate::services::{Endings, Limits, Mirror, RateLimited, Refusals, Sightings, events};

/// The use cases `login`, `refresh`, `logout` and `revokeSession`.
pub struct Authentication {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) endings: Arc<Endings>,
    pub(crate) sightings: Arc<Sightings>,
    pub(crate) tokens: Arc<dyn Tokens>,
    pub(crate) posting: Arc<Posting>,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) rotation: RotationPolicy,
    pub(crate) cap: SessionCap,
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

/// Why no session was ended.
#[derive(Debug, thiserror::Error)]
pub enum LogoutError {
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Its end could not be made durable. Repeating the request is safe. Not for clients.
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
        caller: &Caller,
    ) -> Result<LoginSuccess, LoginError> {
        let checked = self.passwords.check(email, password, caller).await?;
        let checked = checked.ok_or(LoginError::InvalidCredentials)?;
        let user = checked.user;
        // Told only to somebody who knows the password.
        if !self.rotation.requirement.is_met_by(&user) {
            self.refusals.note(EventKind::LoginHeldBack, EventSubject::Account(user.id), caller);
            return Err(LoginError::EmailNotVerified);
        }
        let now = self.clock.now();
        let session = Session::start(user.id, self.lifetimes, now);
        let device = self.limits.identify(&caller.device);
        let new = NewSession {
            session: session.clone(),
            checked: checked.password_version,
            device: device.as_ref().map(|device| device.id),
            cap: self.cap,
        };
        // Stored before it is signed: no token is about whose session could be lost.
        let Some(started) = self.sessions.start(&new, caller).await? else {
            self.refusals.note(EventKind::LoginFailed, EventSubject::Account(user.id), caller);
            return Err(LoginError::InvalidCredentials);
        };
        self.settle(user.id, started, caller).await;
        let tokens = self.tokens.issue(&session, now)?;
        events::log(EventKind::LoggedIn, Some(user.id), Some(session.id), caller);
        let device_token = device.map(|device| self.limits.token(email, device));
        Ok(LoginSuccess { user, session_id: session.id, tokens, device_token })
    }

    /// Makes known what the start of a session has ended.
    async fn settle(&self, owner: UserId, Started { displaced, notice }: Started, caller: &Caller) {
        for session in &displaced {
            events::log(EventKind::SessionDisplaced, Some(owner), Some(*session), caller);
        }
        if let Some(notice) = notice {
            self.posting.announce(notice);
        }
        if !displaced.is_empty() {
            self.mirror.revoke(&displaced).await;
        }
    }

    /// Swaps a refresh token for the next pair. A repeat within the replay window gets the same refresh token again.
    ///
    /// # Errors
    /// See [`RefreshError`].
    #[instrument(name = "service.refresh", skip_all)]
    pub async fn refresh(&self, refresh_token: &str, caller: &Caller) -> Result<TokenPair, RefreshError> {
        let Ok(presented) = self.tokens.read_refresh(refresh_token) else {
            self.limits.reserve(Attempt::Worthless, caller).await?;
            self.refusals.note(EventKind::RefreshRefused, EventSubject::Unknown, caller);
            return Err(RefreshError::Invalid);
        };
        let session_id = presented.session_id;
        self.limits.reserve(Attempt::UseSession(session_id), caller).await?;
        self.sightings.settle(session_id).await?;
        let now = self.clock.now();
        match self.sessions.rotate(presented, caller, self.rotation, now).await? {
            Rotation::Rotated(session) | Rotation::Replayed(session) => {
                events::log_refresh(session.user_id, session.id, caller);
                Ok(self.tokens.issue(&session, now)?)
            }
            Rotation::Refused => {
                self.refusals.note(EventKind::RefreshRefused, EventSubject::Session(session_id), caller);
                Err(RefreshError::Invalid)
            }
            Rotation::Reused(session, mail) => {
                events::log(EventKind::RefreshTokenReused, Some(session.user_id), Some(session.id), caller);
                self.posting.announce(mail);
                self.mirror.revoke(&[session.id]).await;
                Err(RefreshError::Reused)
            }
        }
    }

    /// Ends sessions and answers how many. A token that is unknown, or of a session that has ended, ends none.
    ///
    /// # Errors
    /// See [`LogoutError`].
    #[instrument(name = "service.logout", skip_all)]
    pub async fn logout(&self, request: LogoutRequest<'_>, caller: &Caller) -> Result<usize, LogoutError> {
        let Some(session) = self.session_of(&request) else {
            self.limits.reserve(Attempt::Worthless, caller).await?;
            return Ok(0);
        };
        self.limits.reserve(Attempt::UseSession(session), caller).await?;
        let now = self.clock.now();
        if request.everywhere {
            return Ok(self.end_everywhere(session, caller, now).await?);
        }
        let ended = self.sessions.end(session, SessionEnd::Logout, caller, now).await?;
        if !ended.is_empty() {
            events::log(SessionEnd::Logout.event(), None, Some(session), caller);
        }
        // Also when it had ended before: the request that ended it may have been cut off before it could tell the others.
        self.mirror.revoke(&[session]).await;
        Ok(ended.len())
    }

    async fn end_everywhere(
        &self,
        session: SessionId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<usize, Unexpected> {
        let mut ended = self.sessions.end_siblings(session, caller, now).await?;
        if ended.count > 0 {
            events::log(EventKind::LoggedOutEverywhere, None, Some(session), caller);
        }
        // As above.
        if !ended.to_announce.contains(&session) {
            ended.to_announce.push(session);
        }
        self.endings.finish(ended).await
    }

    fn session_of(&self, request: &LogoutRequest<'_>) -> Option<SessionId> {
        if let Some(text) = request.refresh_token {
            return self.tokens.read_refresh(text).ok().map(|token| token.session_id);
        }
        let text = request.access_token?;
        self.tokens.read_expired_access(text).ok().map(|token| token.session_id)
    }
}

from_limit_error!(LoginError, RefreshError, LogoutError);
