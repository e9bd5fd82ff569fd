//! The list of sessions that a person sees, a page at a time.

use chrono::{DateTime, Utc};

use super::{DeviceInfo, SessionId};

/// A live session as its owner sees it.
#[derive(Debug, Clone)]
pub struct ListedSession {
    /// The `sid` of its tokens.
    pub id: SessionId,
    /// What it was last refreshed by, and from where.
    pub device: DeviceInfo,
    /// When its owner signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is refreshed before.
    pub expires_at: DateTime<Utc>,
}

/// A place in the list, which is ordered by the first, and by the second where the first is equal; newest first. It stays
/// where it is when sessions begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPlace {
    /// When the session there began.
    pub created_at: DateTime<Utc>,
    /// The session there.
    pub id: SessionId,
}

/// Which sessions of the list are asked for.
#[derive(Debug, Clone, Copy)]
pub struct SessionPage {
    /// Only those that are further down than this one.
    pub after: Option<SessionPlace>,
    /// Only those that are further up than this one.
    pub before: Option<SessionPlace>,
    /// From which end of what is left they are counted.
    pub from: PageEnd,
    /// How many at most.
    pub size: u16,
}

/// An end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageEnd {
    /// The newest.
    First,
    /// The oldest.
    Last,
}

impl ListedSession {
    /// Its place in the list.
    #[must_use]
    pub fn place(&self) -> SessionPlace {
        SessionPlace { created_at: self.created_at, id: self.id }
    }
}
