//! Counting attempts, so that nobody has too many.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Unexpected;
use crate::domain::{ClientNetwork, EmailAddress, KnownDevice, Pseudonym, Rate};

/// A budget that attempts are counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Which one.
    pub key: BudgetKey,
    /// What it holds, and how it is refilled.
    pub rate: Rate,
}

/// What a budget is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BudgetKey {
    /// What is counted, such as `network`.
    pub kind: &'static str,
    /// Of whom.
    pub owner: Pseudonym,
}

/// Budgets of attempts.
#[async_trait]
pub trait RateLimiter: Send + Sync + 'static {
    /// Counts an attempt against all of these budgets, before it is made. Where one of them is empty, it MUST be counted
    /// against none, and the answer is how long to wait until it could be.
    ///
    /// MUST be atomic: of any number of parallel calls, no more are admitted than the budgets hold. MUST answer within two
    /// seconds whatever else fails, and MUST admit nothing that it has not counted.
    async fn reserve(&self, budgets: &[Budget]) -> Result<(), Duration>;

    /// Takes back what one attempt was counted. Where it cannot, time will.
    async fn give_back(&self, budgets: &[Budget]);

    /// Fills these budgets again. Where it cannot, time will.
    async fn refill(&self, budgets: &[BudgetKey]);
}

/// How often in a row the password of an account was not the right one: the count that holds when everything that forgets
/// has forgotten (SP 800-63B-4 3.2.2). Also for addresses without an account, or it would tell which these are.
#[async_trait]
pub trait PasswordFailures: Send + Sync + 'static {
    /// Counts an attempt as failed before it is made, unless `most` have failed in a row. Answers whether it may be made.
    /// MUST be atomic.
    async fn reserve(&self, account: Pseudonym, most: i32, now: DateTime<Utc>) -> Result<bool, Unexpected>;

    /// Takes one back that was not made.
    async fn give_back(&self, account: Pseudonym) -> Result<(), Unexpected>;

    /// Begins again at none.
    async fn forget(&self, account: Pseudonym) -> Result<(), Unexpected>;
}

/// The networks that accounts were used from.
#[async_trait]
pub trait KnownNetworks: Send + Sync + 'static {
    /// Whether somebody signed in to the account with this address from `network` a day ago or longer, in a session that was
    /// not ended because something was wrong. A new password that was set by mail makes all networks unknown. MUST cost the
    /// same for an address without an account.
    async fn was_used_from(
        &self,
        email: &EmailAddress,
        network: ClientNetwork,
        now: DateTime<Utc>,
    ) -> Result<bool, Unexpected>;
}

/// Makes pseudonyms.
pub trait Pseudonyms: Send + Sync + 'static {
    /// The pseudonym of what these texts stand for together. MUST be the same on all instances, and another one for each
    /// other list of texts.
    fn of(&self, texts: &[&str]) -> Pseudonym;
}

/// What devices keep to be known again.
pub trait DeviceTokens: Send + Sync + 'static {
    /// Writes a token that only this port can.
    fn write(&self, device: &KnownDevice) -> String;

    /// Reads a token that comes back. `None` unless it is genuine.
    fn read(&self, text: &str) -> Option<KnownDevice>;
}
