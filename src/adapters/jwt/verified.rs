//! Access tokens that have been verified. Reading one again takes a MAC and a look-up instead of a signature, a fiftieth of
//! the time (benches/tokens.rs).

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};

use super::Genuine;

/// How many are remembered at most: some 3 MB.
const CAPACITY: usize = 16_384;

/// What a token is remembered by: a MAC of its whole text. Its key is this process's own, so nobody can make texts that meet,
/// and how long a look-up takes tells nothing about the tokens of others.
pub(super) type Tag = [u8; 32];

/// The tokens that were found genuine with one set of keys. It goes with that set, so none outlives its key.
#[derive(Default)]
pub(super) struct Verified(RwLock<HashMap<Tag, Genuine>>);

impl Verified {
    pub(super) fn tag(key: &hmac::Key, text: &str) -> Tag {
        let mac = hmac::sign(key, text.as_bytes());
        let mut tag = [0; 32];
        tag.copy_from_slice(mac.as_ref());
        tag
    }

    pub(super) fn find(&self, tag: &Tag) -> Option<Genuine> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(tag).copied()
    }

    /// Remembers a token. Where there is no room, those that have expired are forgotten, or else all: they are only verified
    /// again.
    pub(super) fn remember(&self, tag: Tag, token: Genuine, now: DateTime<Utc>) {
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= CAPACITY {
            tokens.retain(|_, known| known.token.expires_at > now);
            // Half of the room at least, so that not every token that follows looks through all of them.
            if tokens.len() > CAPACITY / 2 {
                tokens.clear();
            }
        }
        tokens.insert(tag, token);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::{AccessToken, Generation, SessionId, UserId};

    fn token(expires_at: DateTime<Utc>) -> Genuine {
        let (user_id, session_id) = (UserId::generate(expires_at), SessionId::generate(expires_at));
        let token = AccessToken { user_id, session_id, generation: Generation::FIRST, expires_at };
        Genuine { token, not_before: 0, gone_at: None }
    }

    fn tag(number: usize) -> Tag {
        let mut tag = [0; 32];
        tag[..8].copy_from_slice(&number.to_le_bytes());
        tag
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_expired_go_first() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let (old, fresh) = (token(now), token(now + TimeDelta::minutes(15)));
        let verified = Verified::default();
        for number in 0..CAPACITY {
            verified.remember(tag(number), if number < 4 { fresh } else { old }, now);
        }
        verified.remember(tag(CAPACITY), fresh, now);
        assert!(verified.find(&tag(0)).is_some() && verified.find(&tag(CAPACITY)).is_some());
        assert!(verified.find(&tag(4)).is_none());
        for number in 0..CAPACITY * 3 {
            verified.remember(tag(number), fresh, now);
            assert!(verified.0.read().unwrap().len() <= CAPACITY);
        }
    }
}
