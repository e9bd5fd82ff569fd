//! Accounts and passwords.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::recovery::{Confirmed, TokenMail};
use super::{EndedBatch, Unexpected};
use crate::domain::{
    Caller, EmailAddress, Locale, MailId, Password, PasswordPolicy, PasswordVersion, PersonName,
    PresentedMailToken, Requester, SessionId, User, UserId, Viewer, Weakness,
};

/// Costly work on passwords, on threads of its own. What does not fit into a bounded queue MUST be refused with
/// [`Unexpected::Overloaded`], and nothing else MUST be: the queue is fair between the networks of requesters.
#[async_trait]
pub trait PasswordHasher: Send + Sync + 'static {
    /// Hashes a password into a PHC string with the current parameters and a salt of its own.
    async fn hash(&self, password: Password, requester: Requester) -> Result<String, Unexpected>;

    /// Whether the password is that of `hash`, which [`HashFormats::vet`] has taken, or [`hash`](Self::hash) has made. With
    /// `None`, for an address without an account or an account without a password, it MUST cost what a hash with the current
    /// parameters does and be [`Match::No`]; so it MUST where the hash was made with a pepper that is not here.
    async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
        requester: Requester,
    ) -> Result<Match, Unexpected>;

    /// Why this password must not be chosen, where it is a weak one: [`Password::check_strength`], which costs too much for
    /// an async thread.
    async fn check_strength(
        &self,
        password: Password,
        policy: PasswordPolicy,
        known: Vec<String>,
        requester: Requester,
    ) -> Result<Option<Weakness>, Unexpected>;
}

/// The passwords that were found in data breaches.
#[async_trait]
pub trait BreachedPasswords: Send + Sync + 'static {
    /// Whether the password is among them.
    ///
    /// MUST fail with [`Unexpected::Unavailable`] where it could not be looked up, and MUST NOT answer `false` then.
    async fn contains(&self, password: &Password) -> Result<bool, Unexpected>;
}

/// Whether a password is the one that was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It is not.
    No,
    /// It is.
    Yes,
    /// It is, and was hashed with other parameters, or another pepper, than a new one would be.
    Outdated,
}

/// Hashes of passwords that other systems made.
pub trait HashFormats: Send + Sync + 'static {
    /// Whether [`PasswordHasher::verify`] will be able to use this hash.
    ///
    /// MUST refuse one that would cost a login more than 256 MiB of memory, or more than about a second of one core.
    ///
    /// # Errors
    /// See [`UnusableHash`].
    fn vet(&self, hash: &str) -> Result<(), UnusableHash>;
}

/// Why a hash that another system made is of no use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableHash {
    /// In no format that is known.
    #[error("this is no password hash that is known here: bcrypt, scrypt, PBKDF2 and argon2 are")]
    Unknown,
    /// In the format of that name, and not whole.
    #[error("this {0} hash is not in one piece, or has parts that are not known here")]
    Malformed(&'static str),
    /// Made with a secret of the other system.
    #[error("this argon2 hash was made with a pepper (its keyid) that is not known here")]
    UnknownPepper,
    /// In the format of that name, with parameters that nobody may make a login pay for.
    #[error("this {0} hash would cost a login {1}")]
    TooCostly(&'static str, &'static str),
}

/// What a new account is made of.
#[derive(Debug)]
pub struct NewUser {
    /// Names it.
    pub id: UserId,
    /// The address used to sign in.
    pub email: EmailAddress,
    /// The PHC string of its password.
    pub password_hash: String,
    /// How the person wants to be called.
    pub name: Option<PersonName>,
    /// The language of mails.
    pub locale: Locale,
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// There is a new account.
    New,
    /// The address had one.
    Taken,
}

/// What signing in needs to know of an account.
#[derive(Debug)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// What its password was hashed to, here or by the system that the account comes from. `None` until its owner sets one.
    pub password_hash: Option<String>,
    /// Which password that is.
    pub password_version: PasswordVersion,
    /// Whether an operator has shut the account.
    pub disabled: bool,
}

/// Accounts.
#[async_trait]
pub trait Users: Send + Sync + 'static {
    /// Creates an account, and queues the welcome `mail` in the same transaction. Where the canonical address has an account
    /// already, it MUST stay as it is, and its owner is owed an [`MailKind::AlreadyRegistered`] instead, unless there
    /// were too many of late, or this is a [repetition](crate::domain::REPETITION). There is a row for the mail in each
    /// case, so that all cost the same, and an event, of the new account or of the one that there was.
    ///
    /// [`MailKind::AlreadyRegistered`]: crate::domain::MailKind::AlreadyRegistered
    async fn register(
        &self,
        new: NewUser,
        mail: TokenMail,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Registered, Unexpected>;

    /// Replaces the hash of a password by another one of the same password, unless it has changed meanwhile.
    async fn rehash(&self, id: UserId, from: &str, to: &str) -> Result<(), Unexpected>;

    /// The account with this canonical address.
    async fn find_credentials(&self, email: &EmailAddress) -> Result<Option<Credentials>, Unexpected>;

    /// The same of an account that is known.
    async fn find_credentials_of(&self, id: UserId) -> Result<Option<Credentials>, Unexpected>;

    /// The account, unless it is disabled or gone.
    async fn find(&self, id: UserId) -> Result<Option<User>, Unexpected>;
}

/// What an account is to show of its owner from now on. `None` leaves a thing as it is.
#[derive(Debug)]
pub struct ProfileChange {
    /// The name, or that there is none.
    pub name: Option<Option<PersonName>>,
    /// The language of mails.
    pub locale: Option<Locale>,
}

/// What an account shows after a [`ProfileChange`].
#[derive(Debug)]
pub struct UpdatedProfile {
    /// The account.
    pub user: User,
    /// Whether anything is different from before.
    pub has_changed: bool,
}

/// What an account's owner can change about it. Each method MUST be one transaction with the mails that tell of it, and
/// with its event.
///
/// Those that take a [`PasswordVersion`] MUST do nothing, and answer `None`, where the password has been changed since it
/// was checked, or the account is gone.
#[async_trait]
pub trait AccountChanges: Send + Sync + 'static {
    /// Sets another password, kills every session but `current`, makes every token that was mailed worthless, and queues the
    /// mail `notice`. Answers which sessions it ended, and what is left to end.
    async fn change_password(
        &self,
        checked: (UserId, PasswordVersion),
        password_hash: &str,
        current: SessionId,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected>;

    /// Queues the mail that `new` is confirmed with, and `notice` to the present address. Where `new` belongs to somebody
    /// else, its owner is owed an [`MailKind::AlreadyRegistered`] instead, as by [`Users::register`].
    ///
    /// [`MailKind::AlreadyRegistered`]: crate::domain::MailKind::AlreadyRegistered
    async fn request_email_change(
        &self,
        owner: Viewer,
        new: &EmailAddress,
        mail: TokenMail,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Registered, Unexpected>;

    /// Uses up a token, and moves the account to the address that it was mailed to, which is confirmed by that. Tokens that
    /// were mailed to the old one become worthless, and `notice` goes there. `None` where the token does not work, or the
    /// address has become somebody else's. Where it is that of the account, and confirmed, the token MUST be all that changes.
    async fn confirm_email_change(
        &self,
        token: PresentedMailToken,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<Confirmed>, Unexpected>;

    /// Changes what the account shows. `None` when there is no such account. Where all of it is so already, it MUST write
    /// nothing, and leave no event.
    async fn update_profile(
        &self,
        owner: Viewer,
        change: &ProfileChange,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<UpdatedProfile>, Unexpected>;

    /// Deletes the account and everything personal in it, and queues the mail `notice`, which belongs to no account. Until the
    /// last session has ended, the account is shut. Answers which sessions it ended, and what is left to end.
    async fn delete(
        &self,
        checked: (UserId, PasswordVersion),
        current: SessionId,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected>;
}
