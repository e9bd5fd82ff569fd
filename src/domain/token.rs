//! What tokens say. How they are written and checked is an adapter's concern.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{Generation, SessionId, UserId};

/// The content of a genuine access token.
#[derive(Debug, Clone, Copy)]
pub struct AccessToken {
    /// `sub`: the account it speaks for.
    pub user_id: UserId,
    /// `sid`: the session it belongs to.
    pub session_id: SessionId,
    /// `gen`: the generation of the session that it was issued with.
    pub generation: Generation,
    /// `exp`: when it stops working.
    pub expires_at: DateTime<Utc>,
}

/// The content of a genuine refresh token.
#[derive(Debug, Clone, Copy)]
pub struct RefreshToken {
    /// `sid`: the session it belongs to.
    pub session_id: SessionId,
    /// `gen`: its number within the session.
    pub generation: Generation,
}

/// A token as it is handed to its owner.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The text, opaque to clients.
    pub text: SecretString,
    /// When it stops working, in whole seconds.
    pub expires_at: DateTime<Utc>,
    /// How long that is from when it is handed over.
    pub lifetime: TimeDelta,
}

/// The tokens of one session at one generation.
#[derive(Debug, Clone)]
pub struct TokenPair {
    /// For every request.
    pub access: IssuedToken,
    /// For the next pair, once.
    pub refresh: IssuedToken,
}

/// Whom a request acts as, and through which session.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    /// The account.
    pub user_id: UserId,
    /// The session.
    pub session_id: SessionId,
}
