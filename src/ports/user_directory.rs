//! Accounts as an operator sees them: by address, and many at once.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{EndedBatch, Unexpected};
use crate::domain::{EmailAddress, SessionId, User, UserId};

/// An account with everything that is kept of it, so that it can be moved from one server to another.
#[derive(Clone)]
pub struct AccountRecord {
    /// What it shows of its owner.
    pub user: User,
    /// What its password was hashed to; `None` until its owner sets one.
    pub password_hash: Option<String>,
    /// Since when it is shut; `None` where it is open.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// What became of an account that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addition {
    /// It is there now.
    Added,
    /// Its address has an account, which was left as it is.
    AddressTaken,
    /// Its id is that of another account.
    IdTaken,
}

/// Accounts as an operator sees them. No method mails anybody. Each that changes an account MUST leave an event of it in the
/// same transaction.
///
/// A method that shuts or deletes an account MUST kill its sessions in the same transaction, and answers what is left to end;
/// `None` where the address has no account. Repeated, it answers what is still left.
#[async_trait]
pub trait UserDirectory: Send + Sync + 'static {
    /// Adds accounts in one transaction, and answers what became of each, in their order. Of several with the same address
    /// or id, one is added.
    async fn add(&self, accounts: &[AccountRecord], now: DateTime<Utc>) -> Result<Vec<Addition>, Unexpected>;

    /// At most `count` accounts in the order of their ids, those after `last` only.
    async fn page(&self, last: Option<UserId>, count: u32) -> Result<Vec<AccountRecord>, Unexpected>;

    /// Shuts the account. One that is shut stays as it is.
    async fn disable(
        &self,
        email: &EmailAddress,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected>;

    /// Opens an account that was shut. `false` where the address has none.
    async fn enable(&self, email: &EmailAddress, now: DateTime<Utc>) -> Result<bool, Unexpected>;

    /// The present instant by the clock of the database, which the instances keep to.
    async fn now(&self) -> Result<DateTime<Utc>, Unexpected>;

    /// Ends, of the sessions after `last` in the order of their ids, the next `count` that are live and began by `now`.
    /// Answers which, in that order; each has an event.
    async fn end_sessions(
        &self,
        last: Option<SessionId>,
        count: u32,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>, Unexpected>;

    /// Deletes the account and everything personal in it. Until the last session has ended, it is shut.
    async fn delete(
        &self,
        email: &EmailAddress,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected>;
}
