//! Tokens, and the keys that they are signed with.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Unexpected;
use crate::domain::{AccessToken, Handover, KeyId, RefreshToken, Seed, Session, SigningKey, TokenPair};

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of this kind, of this issuer, or not in one piece.
    #[error("the token is not valid")]
    Invalid,
    /// Genuine, but its time is over.
    #[error("the token has expired")]
    Expired,
}

/// Writing and checking the two kinds of tokens.
pub trait Tokens: Send + Sync + 'static {
    /// The tokens of a session at its present generation. The refresh token MUST be a function of the session's row, so
    /// that a repeated call gives the same one; the access token is a fresh one each time.
    ///
    /// # Errors
    /// [`Unexpected`] when nothing could be signed.
    fn issue(&self, session: &Session, now: DateTime<Utc>) -> Result<TokenPair, Unexpected>;

    /// Reads an access token.
    ///
    /// # Errors
    /// See [`TokenError`]. One that has expired is [`TokenError::Expired`] only if it is genuine.
    fn read_access(&self, text: &str, now: DateTime<Utc>) -> Result<AccessToken, TokenError>;

    /// Reads an access token that may have expired, for ending its session.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    fn read_expired_access(&self, text: &str) -> Result<AccessToken, TokenError>;

    /// Reads a refresh token. Whether it still works, its session's row decides.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    fn read_refresh(&self, text: &str) -> Result<RefreshToken, TokenError>;

    /// Replaces the keys of access tokens. From here on, tokens of other keys are refused.
    ///
    /// # Errors
    /// [`Unexpected`] when a seed and its public key do not belong together; then nothing has changed.
    fn use_keys(&self, keys: &[OpenKey]) -> Result<(), Unexpected>;
}

/// A seed under a key that is derived from the configured secret, for keeping where others may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSeed(pub Vec<u8>);

/// A signing key as it is stored.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// What may be known of it.
    pub key: SigningKey,
    /// What may not.
    pub sealed: SealedSeed,
}

/// A signing key that can sign.
#[derive(Debug, Clone)]
pub struct OpenKey {
    /// What may be known of it.
    pub key: SigningKey,
    /// What may not.
    pub seed: Arc<Seed>,
}

/// A signing key that has just been made.
#[derive(Debug)]
pub struct NewKey {
    /// The RFC 7638 thumbprint of the public key.
    pub id: KeyId,
    /// The Ed25519 public key.
    pub public: [u8; 32],
    /// Its seed.
    pub sealed: SealedSeed,
}

/// Making signing keys, and sealing what is secret about them.
pub trait KeyVault: Send + Sync + 'static {
    /// Makes a key, its seed sealed under the present secret.
    ///
    /// # Errors
    /// [`Unexpected`] without random numbers.
    fn make(&self) -> Result<NewKey, Unexpected>;

    /// Opens a seed. `None` unless it was sealed for this very key under a secret that is configured: a key that opens was
    /// made by an instance that knows the secret. With the seed comes a new sealing where the one given is under the
    /// previous secret.
    fn open(&self, stored: &StoredKey) -> Option<(Seed, Option<SealedSeed>)>;
}

/// Signing keys, shared by all instances.
///
/// Every method MUST be one atomic statement, and calls of several instances for the same reason MUST end as one would.
#[async_trait]
pub trait SigningKeys: Send + Sync + 'static {
    /// All of them, in any order.
    async fn load(&self) -> Result<Vec<StoredKey>, Unexpected>;

    /// Adds a key, and says when the outgoing one is gone. Nothing happens where its number is taken: another instance was
    /// quicker. Otherwise it leaves an event.
    async fn add(&self, key: &StoredKey, outgoing: Option<(i32, DateTime<Utc>)>) -> Result<(), Unexpected>;

    /// Lets a key begin earlier than planned, never later, and leaves an event if it does. Answers when it begins; `None` when
    /// there is no such key.
    async fn hasten(
        &self,
        number: i32,
        handover: Handover,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, Unexpected>;

    /// Removes a key, and lets the successor begin at that time, if one is given. `false` when there is no such key;
    /// otherwise it leaves an event.
    async fn retire(
        &self,
        id: &KeyId,
        successor: Option<(i32, DateTime<Utc>)>,
        now: DateTime<Utc>,
    ) -> Result<bool, Unexpected>;

    /// Replaces a key's sealing, unless somebody else has done so.
    async fn reseal(&self, key: &StoredKey, sealed: &SealedSeed) -> Result<(), Unexpected>;

    /// Removes the keys that were gone by `before`.
    async fn purge(&self, before: DateTime<Utc>) -> Result<(), Unexpected>;
}
