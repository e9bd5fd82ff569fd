//! Cookie mode: the client is a browser that keeps its refresh token where no script can read it. Resolvers say what it
//! shall keep; how that is written, the transport knows.

use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};

use crate::domain::IssuedToken;

/// The refresh token that a browser keeps for us: what it has sent, and what the answer does about it.
#[derive(Debug, Default)]
pub struct RefreshCookie {
    presented: Option<SecretString>,
    change: Mutex<Option<CookieChange>>,
}

/// What an answer does about the cookie. Without one, the browser keeps what it has.
#[derive(Debug)]
pub enum CookieChange {
    /// From now on it is this token.
    Keep(IssuedToken),
    /// There is none any more.
    Forget,
}

impl RefreshCookie {
    /// The cookie of a request, with the token, unchecked, that it brought.
    #[must_use]
    pub fn new(presented: Option<SecretString>) -> Self {
        Self { presented, change: Mutex::default() }
    }

    /// What the answer does about it: the last word of the resolvers.
    #[must_use]
    pub fn take_change(&self) -> Option<CookieChange> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn presented(&self) -> Option<&str> {
        self.presented.as_ref().map(ExposeSecret::expose_secret)
    }

    pub(super) fn keep(&self, token: IssuedToken) {
        self.set(CookieChange::Keep(token));
    }

    /// Takes the token that was presented from the browser. Where there was none, another tab may just be getting one.
    pub(super) fn forget(&self) {
        if self.presented.is_some() {
            self.set(CookieChange::Forget);
        }
    }

    fn set(&self, change: CookieChange) {
        *self.change.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    fn token() -> IssuedToken {
        IssuedToken { text: "next".into(), expires_at: DateTime::UNIX_EPOCH, lifetime: TimeDelta::days(1) }
    }

    #[test]
    fn the_last_word_counts() {
        let cookie = RefreshCookie::new(Some("present".into()));
        assert!(cookie.take_change().is_none());
        cookie.forget();
        cookie.keep(token());
        assert!(matches!(cookie.take_change(), Some(CookieChange::Keep(_))));
    }

    #[test]
    fn a_token_that_was_not_presented_is_not_taken_away() {
        let cookie = RefreshCookie::new(None);
        cookie.forget();
        assert!(cookie.take_change().is_none());
    }

    #[test]
    fn nothing_shows_a_token() {
        let cookie = RefreshCookie::new(Some("present".into()));
        cookie.keep(token());
        let shown = format!("{cookie:?}");
        assert!(!shown.contains("present\"") && !shown.contains("next"), "{shown}");
    }
}
