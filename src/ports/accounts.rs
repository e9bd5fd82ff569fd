//! Accounts and passwords.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Unexpected;
use crate::domain::{EmailAddress, Locale, MailId, Password, PersonName, User, UserId};

/// Slow hashing of passwords, on threads of its own.
#[async_trait]
pub trait PasswordHasher: Send + Sync + 'static {
    /// Hashes a password into a PHC string with the current parameters and a salt of its own.
    ///
    /// MUST refuse with [`Unexpected::Unavailable`] what does not fit into a bounded queue.
    async fn hash(&self, password: Password) -> Result<String, Unexpected>;

    /// Whether the password is that of `phc`. With `None`, for an address without an account, it MUST cost what a hash with
    /// the current parameters does and be [`Match::No`].
    async fn verify(&self, password: Password, phc: Option<String>) -> Result<Match, Unexpected>;
}

/// Whether a password is the one that was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It is not.
    No,
    /// It is.
    Yes,
    /// It is, and was hashed with other parameters than a new one would be.
    Outdated,
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

    /// Replaces the hash of a password by another one of the same password, unless it has changed meanwhile.
    async fn rehash(&self, id: UserId, from: &str, to: &str) -> Result<(), Unexpected>;

    /// The account with this canonical address.
    async fn find_credentials(&self, email: &EmailAddress) -> Result<Option<Credentials>, Unexpected>;

    /// The account, unless it is disabled or gone.
    async fn find(&self, id: UserId) -> Result<Option<User>, Unexpected>;
}
