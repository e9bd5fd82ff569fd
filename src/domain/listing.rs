//! Lists that a person sees, newest first, a page at a time.

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

/// A place in the list of sessions, which is ordered by the first, and by the second where the first is equal; newest first. It stays
/// where it is when sessions begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPlace {
    /// When the session there began.
    pub created_at: DateTime<Utc>,
    /// The session there.
    pub id: SessionId,
}

/// Which part of a list is asked for. `P` is a place in it.
#[derive(Debug, Clone, Copy)]
pub struct Page<P> {
    /// Only what is further down than this place.
    pub after: Option<P>,
    /// Only what is further up than this place.
    pub before: Option<P>,
    /// From which end of what is left it is counted.
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

/// What a page shows.
#[derive(Debug)]
pub struct Listing<T> {
    /// What was asked for, newest first.
    pub items: Vec<T>,
    /// Whether there is something newer.
    pub has_previous: bool,
    /// Whether there is something older.
    pub has_next: bool,
}

impl<P> Page<P> {
    /// The same page with one more, which tells whether there are more.
    #[must_use]
    pub fn widened(self) -> Self {
        Self { size: self.size.saturating_add(1), ..self }
    }

    /// The page, given what was found for it [widened](Self::widened), newest first.
    #[must_use]
    pub fn cut<T>(&self, mut found: Vec<T>) -> Listing<T> {
        let is_cut = found.len() > usize::from(self.size);
        match self.from {
            PageEnd::First => {
                found.truncate(self.size.into());
                // A cursor was taken from something that stands on its other side.
                let has_next = is_cut || self.before.is_some();
                Listing { items: found, has_previous: self.after.is_some(), has_next }
            }
            PageEnd::Last => {
                found.drain(..usize::from(is_cut));
                let has_previous = is_cut || self.after.is_some();
                Listing { items: found, has_previous, has_next: self.before.is_some() }
            }
        }
    }
}

impl ListedSession {
    /// Its place in the list.
    #[must_use]
    pub fn place(&self) -> SessionPlace {
        SessionPlace { created_at: self.created_at, id: self.id }
    }
}
