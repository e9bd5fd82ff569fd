//! What the application needs from the world: small traits, each with its contract. Every adapter of a port keeps it.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{
    AccessToken, DeviceInfo, EmailAddress, Generation, Handover, KeyId, ListedSession, Locale, Mail, MailId,
    Password, PersonName, RefreshToken, RotationPolicy, Seed, Session, SessionEnd, SessionId, SessionPage,
    SigningKey, TokenPair, User, UserId,
};

/// A failure that no client can act on other than by trying again. Its cause is for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum Unexpected {
    /// Something that authql depends on does not answer, or is overloaded: the same request may succeed soon.
    #[error("{what} is unavailable")]
    Unavailable {
        /// What does not answer, such as `Postgres`.
        what: &'static str,
        /// The library's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A fault of ours: what was assumed does not hold.
    #[error("{what}")]
    Fault {
        /// What went wrong.
        what: &'static str,
        /// The library's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Unexpected {
    /// Something that authql depends on does not answer.
    pub fn unavailable(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { what, source: source.into() }
    }

    /// A fault of ours.
    pub fn fault(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Fault { what, source: source.into() }
    }
}

/// The time of day.
pub trait Clock: Send + Sync + 'static {
    /// The present instant. It MAY step back; order is never taken from it.
    fn now(&self) -> DateTime<Utc>;
}

/// Slow hashing of passwords, on threads of its own.
#[async_trait]
pub trait PasswordHasher: Send + Sync + 'static {
    /// Hashes a password into a PHC string with the current parameters and a salt of its own.
    ///
    /// MUST refuse with [`Unexpected::Unavailable`] what does not fit into a bounded queue.
    async fn hash(&self, password: Password) -> Result<String, Unexpected>;

    /// Whether the password is that of `phc`. With `None`, for an address without an account, it MUST cost the same and
    /// be `false`.
    async fn verify(&self, password: Password, phc: Option<String>) -> Result<bool, Unexpected>;
}

/// What a new account is made of.
#[derive(Debug)]
pub struct NewUser {
    /// The address used to sign in.
    pub email: EmailAddress,
    /// The PHC string of its password.
    pub password_hash: String,
    /// How the person wants to be called.
    pub name: Option<PersonName>,
    /// The language of mails.
    pub locale: Locale,
}

/// What signing in needs to know of an account.
#[derive(Debug)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// The PHC string of its password.
    pub password_hash: String,
    /// Whether an operator has shut the account.
    pub disabled: bool,
}

/// Accounts.
#[async_trait]
pub trait Users: Send + Sync + 'static {
    /// Creates an account, and queues a welcome mail in the same transaction. Where the canonical address has an account
    /// already, it MUST stay as it is, and its owner is owed an [`MailKind::AlreadyRegistered`] instead. Answers the
    /// mail in either case, so that both cost the same.
    ///
    /// [`MailKind::AlreadyRegistered`]: crate::domain::MailKind::AlreadyRegistered
    async fn register(&self, new: NewUser, now: DateTime<Utc>) -> Result<MailId, Unexpected>;

    /// The account with this canonical address.
    async fn find_credentials(&self, email: &EmailAddress) -> Result<Option<Credentials>, Unexpected>;

    /// The account, unless it is disabled or gone.
    async fn find(&self, id: UserId) -> Result<Option<User>, Unexpected>;
}

/// What presenting a refresh token did.
#[derive(Debug)]
pub enum Rotation {
    /// The session is in its next generation.
    Rotated(Session),
    /// Nothing changed: the generation presented was followed by the session's present one a moment ago.
    Replayed(Session),
    /// The session has just been ended, because the token had been used before; its owner is owed this mail.
    Reused(Session, MailId),
    /// Nothing changed: there is no such session, or it has ended.
    Refused,
}

/// Sessions. Their rows are the truth about who is signed in.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Stores a new session. [`Unexpected`] unless it is durable.
    async fn start(&self, session: &Session, device: &DeviceInfo) -> Result<(), Unexpected>;

    /// Presents a refresh token, as [`Session::judge`] says. Where it rotates, what `device` tells is stored in place of
    /// what an earlier request told; what it does not tell stays.
    ///
    /// MUST be settled by one atomic statement a step: of any number of parallel calls with one generation, on any number
    /// of instances, exactly one rotates. On reuse, the end of the session and the mail to its owner are one transaction.
    async fn rotate(
        &self,
        presented: RefreshToken,
        device: &DeviceInfo,
        policy: RotationPolicy,
        now: DateTime<Utc>,
    ) -> Result<Rotation, Unexpected>;

    /// Ends a live session. Answers those that this call ended: one or none.
    async fn end(
        &self,
        id: SessionId,
        reason: SessionEnd,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>, Unexpected>;

    /// Ends every live session of the account that this live session belongs to. Answers those that this call ended.
    async fn end_siblings(
        &self,
        id: SessionId,
        reason: SessionEnd,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>, Unexpected>;

    /// Whether the session is live and its account active.
    async fn is_live(&self, id: SessionId, now: DateTime<Utc>) -> Result<bool, Unexpected>;

    /// Notes that tokens of these generations have been presented. The newest one counts, whatever the order.
    async fn note_seen(&self, sightings: &[(SessionId, Generation)]) -> Result<(), Unexpected>;

    /// The sessions that have ended since an earlier call, by its cursor; without one, those whose access tokens may still
    /// be about. MUST contain each end that was committed before the call, and MAY repeat some.
    async fn ended_since(&self, cursor: Option<EndCursor>)
    -> Result<(Vec<SessionId>, EndCursor), Unexpected>;
}

/// Sessions as their owners see them.
#[async_trait]
pub trait SessionDirectory: Send + Sync + 'static {
    /// A page of the live sessions of an account, MUST be newest first from whichever end it is counted.
    async fn list(
        &self,
        owner: UserId,
        page: SessionPage,
        now: DateTime<Utc>,
    ) -> Result<Vec<ListedSession>, Unexpected>;

    /// The session, if it is live and belongs to this account.
    async fn find(
        &self,
        owner: UserId,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<ListedSession>, Unexpected>;
}

/// Up to where ends have been read, by the clock of the database.
#[derive(Debug, Clone, Copy)]
pub struct EndCursor(pub DateTime<Utc>);

/// The blacklist, and how the instances tell each other what is put on it.
///
/// An accelerator: it may fail, forget and lose. What it says in time saves asking the rows of sessions.
#[async_trait]
pub trait Revocations: Send + Sync + 'static {
    /// Lists sessions that have ended for `ttl`, the longest remaining life of their access tokens, and tells all who have
    /// subscribed. MUST fail unless the server has taken both. MUST answer within two seconds.
    async fn announce(&self, sessions: &[SessionId], ttl: TimeDelta) -> Result<(), Unexpected>;

    /// Begins to listen: what is announced from now on is heard, or the subscription fails.
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, Unexpected>;
}

/// A subscription to what is announced.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for the next news. MUST either have some within a second or fail, also when the line hangs half open.
    async fn next(&mut self) -> Result<News, Unexpected>;
}

/// What a subscription has to tell.
#[derive(Debug)]
pub struct News {
    /// Sessions that have ended.
    pub ended: Vec<SessionId>,
    /// A moment such that everything announced before it has been told.
    pub complete_as_of: Option<Instant>,
}

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
    /// quicker.
    async fn add(&self, key: &StoredKey, outgoing: Option<(i32, DateTime<Utc>)>) -> Result<(), Unexpected>;

    /// Lets a key begin earlier than planned, never later. Answers when it begins; `None` when there is no such key.
    async fn hasten(&self, number: i32, handover: Handover) -> Result<Option<DateTime<Utc>>, Unexpected>;

    /// Removes a key, and lets the successor begin at that time, if one is given. `false` when there is no such key.
    async fn retire(&self, id: &KeyId, successor: Option<(i32, DateTime<Utc>)>) -> Result<bool, Unexpected>;

    /// Replaces a key's sealing, unless somebody else has done so.
    async fn reseal(&self, key: &StoredKey, sealed: &SealedSeed) -> Result<(), Unexpected>;

    /// Removes the keys that were gone by `before`.
    async fn purge(&self, before: DateTime<Utc>) -> Result<(), Unexpected>;
}

/// A mail that a worker has taken. No other worker gets it before the lease is over.
#[derive(Debug)]
pub struct ClaimedMail {
    /// What to send.
    pub mail: Mail,
    /// How often it has been claimed, this time included. Also the fence: the outcome of an older claim is ignored.
    pub attempt: u32,
}

/// How a claim on a mail ended.
#[derive(Debug)]
pub enum MailOutcome {
    /// The server took it.
    Sent,
    /// It is to be tried again.
    RetryAt(DateTime<Utc>, String),
    /// It never will be sent, for the reason that the server gave.
    Dead(String),
    /// It was not tried: another worker may have it at once, and this claim does not count.
    HandedBack,
}

/// The mails that are owed: committed with the event that owes them, kept until their end is known.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Takes this mail if it is due, or the one that has been due longest. `None` when there is none.
    async fn claim(
        &self,
        id: Option<MailId>,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<ClaimedMail>, Unexpected>;

    /// Records how a claim ended, unless the lease ran out and somebody else has claimed it since.
    async fn settle(
        &self,
        claim: &ClaimedMail,
        outcome: &MailOutcome,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected>;
}

/// The dispatch list: tells a worker at once of a mail that has been queued. It may lose everything; a sweep finds it.
#[async_trait]
pub trait MailQueue: Send + Sync + 'static {
    /// Announces a mail. MUST NOT wait for anything, and MUST NOT fail.
    fn push(&self, id: MailId);

    /// Waits for the next announcement. Dropping the future MUST NOT lose one that another call could have had.
    async fn pop(&self) -> Result<MailId, Unexpected>;
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Worth another try: no connection, a time-out, a 4xx reply.
    #[error("{0}")]
    Transient(String),
    /// No try will help: a 5xx reply, or a mail that cannot be written.
    #[error("{0}")]
    Permanent(String),
}

/// Handing a mail over to where its owner reads it.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Renders and sends the mail. The `Message-ID` MUST be the same at each try. Waits a minute at most.
    async fn send(&self, mail: &Mail) -> Result<(), SendError>;
}

/// A mail in the mailbox of the zero-configuration mode, as its owner sees it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct StoredMail {
    /// The id of the outbox row.
    pub id: String,
    /// [`MailKind`](crate::domain::MailKind) by name.
    pub kind: String,
    /// The `From` header.
    pub from: String,
    /// The `To` header.
    pub to: String,
    /// The `Subject` header.
    pub subject: String,
    /// The `Date` header.
    pub date: DateTime<Utc>,
    /// The plain-text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// The mails that the zero-configuration mode keeps instead of sending.
#[async_trait]
pub trait Mailbox: Send + Sync + 'static {
    /// The newest mails first, 100 at most.
    async fn list(&self) -> Result<Vec<StoredMail>, Unexpected>;
}

/// Whether what authql cannot work without is there.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// [`Unexpected::Unavailable`] when it is not. MUST answer within three seconds.
    async fn check(&self) -> Result<(), Unexpected>;
}
