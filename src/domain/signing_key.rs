//! Signing keys: which one signs, which ones verify, and when the next is due. All of it follows from their times.

use std::borrow::Borrow;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretBox;

/// How much the clocks of two instances may differ.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);
/// How long a key is published at least before it signs: longer than anybody may keep the published set, which is five
/// minutes.
const PUBLICATION: TimeDelta = TimeDelta::minutes(10);
/// How long a key verifies after the next one has begun: the longest life of an access token that can be configured, and
/// the difference of clocks. Not the life configured here and now, which another instance may not share.
const RETIREMENT: TimeDelta = TimeDelta::minutes(16);
/// How long an operator finds a key listed that is gone.
const REMEMBRANCE: TimeDelta = TimeDelta::days(1);
/// How long instances have to hear of it when an operator lets a key begin: they look every second.
const NOTICE: TimeDelta = TimeDelta::seconds(5);

/// The longest `kid` that is looked at, in bytes.
const MAX_KEY_ID: usize = 64;

/// The `kid` of a key (RFC 7517 4.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

/// The seed of an Ed25519 private key (RFC 8032 5.1.5).
pub type Seed = SecretBox<[u8; 32]>;

/// What may be known of a key: its times, and its public half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its place in the order of all keys.
    pub number: i32,
    /// The `kid` of its tokens.
    pub id: KeyId,
    /// The Ed25519 public key (RFC 8032).
    pub public: [u8; 32],
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// When it begins to sign.
    pub activates_at: DateTime<Utc>,
    /// When it stops verifying. `None` until it is known when its successor begins.
    pub gone_at: Option<DateTime<Utc>>,
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and verifies, but does not sign yet.
    Next,
    /// Signs.
    Active,
    /// Verifies the tokens that it has signed until the last has expired.
    Retiring,
    /// Does nothing any more.
    Gone,
}

/// All keys, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRing(Vec<SigningKey>);

/// When a key is to begin, and what that means for the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    /// When the new key begins.
    pub at: DateTime<Utc>,
    /// The number of the key before, and when it is gone.
    pub outgoing: Option<(i32, DateTime<Utc>)>,
}

impl KeyId {
    /// A base64url text of 1 to 64 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_good = (1..=MAX_KEY_ID).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        is_good.then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl SigningKey {
    /// Whether a token of it is honoured. A key that has not begun here may have begun by a sister's clock.
    #[must_use]
    pub fn verifies(&self, now: DateTime<Utc>) -> bool {
        self.gone_at.is_none_or(|gone_at| now < gone_at)
    }

    fn has_begun(&self, now: DateTime<Utc>) -> bool {
        self.activates_at <= now
    }
}

impl KeyState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
        }
    }
}

impl KeyRing {
    /// The ring of these keys.
    #[must_use]
    pub fn new(mut keys: Vec<SigningKey>) -> Self {
        keys.sort_unstable_by_key(|key| key.number);
        Self(keys)
    }

    /// Every key, oldest first.
    #[must_use]
    pub fn keys(&self) -> &[SigningKey] {
        &self.0
    }

    /// The key that signs: the newest that has begun. Before any has, by a clock that is behind, the first that will.
    #[must_use]
    pub fn active(&self, now: DateTime<Utc>) -> Option<&SigningKey> {
        self.live(now).rfind(|key| key.has_begun(now)).or_else(|| self.live(now).next())
    }

    /// The first key that does not sign yet.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<&SigningKey> {
        let active = self.active(now)?.number;
        self.live(now).find(|key| key.number > active)
    }

    /// Where a key of the ring is in its life.
    #[must_use]
    pub fn state(&self, key: &SigningKey, now: DateTime<Utc>) -> KeyState {
        if !key.verifies(now) {
            return KeyState::Gone;
        }
        let active = self.active(now).map_or(i32::MIN, |active| active.number);
        match key.number.cmp(&active) {
            std::cmp::Ordering::Less => KeyState::Retiring,
            std::cmp::Ordering::Equal => KeyState::Active,
            std::cmp::Ordering::Greater => KeyState::Next,
        }
    }

    /// When a further key has to begin, if it is time to publish one: as soon as the newest is about to begin, so that there
    /// always is a next one. The very first begins at once.
    #[must_use]
    pub fn due(&self, rotation: TimeDelta, now: DateTime<Utc>) -> Option<Handover> {
        let Some(newest) = self.live(now).next_back() else {
            return Some(Handover { at: now, outgoing: None });
        };
        if newest.activates_at > now + PUBLICATION {
            return None;
        }
        // Twice, so that it is not about to begin itself.
        let at = (newest.activates_at + rotation).max(now + PUBLICATION * 2);
        Some(Handover { at, outgoing: Some((newest.number, at + RETIREMENT)) })
    }

    /// The next key, and when it may begin if an operator asks for it: when all instances have heard of it, and nobody keeps
    /// a published set from before it was there.
    #[must_use]
    pub fn hasten(&self, now: DateTime<Utc>) -> Option<(&SigningKey, Handover)> {
        let next = self.next(now)?;
        let at = (next.created_at + PUBLICATION).max(now + NOTICE).min(next.activates_at);
        let outgoing = self.active(now).map(|active| (active.number, at + RETIREMENT));
        Some((next, Handover { at, outgoing }))
    }

    /// The key that has to begin when `id` is taken away, and when: in the past, so that it has begun by every clock.
    #[must_use]
    pub fn replace(&self, id: &KeyId, now: DateTime<Utc>) -> Option<(&SigningKey, DateTime<Utc>)> {
        self.active(now).filter(|active| active.id == *id)?;
        Some((self.next(now)?, now - CLOCK_SKEW))
    }

    /// The latest `gone_at` of keys that nobody needs to see any more.
    #[must_use]
    pub fn forgotten(now: DateTime<Utc>) -> DateTime<Utc> {
        now - REMEMBRANCE
    }

    fn live(&self, now: DateTime<Utc>) -> impl DoubleEndedIterator<Item = &SigningKey> {
        self.0.iter().filter(move |key| key.verifies(now))
    }
}

#[cfg(test)]
mod tests;
