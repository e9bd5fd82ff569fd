//! What the application needs from the world: small traits, each with its contract. Every adapter of a port keeps it.

mod accounts;
mod events;
mod limits;
mod mail;
mod mail_ledger;
mod recovery;
mod retention;
mod session_endings;
mod sessions;
mod tokens;
mod user_directory;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use accounts::{
    AccountChanges, BreachedPasswords, Credentials, HashFormats, Match, NewUser, PasswordHasher,
    ProfileChange, Registered, UnusableHash, UpdatedProfile, Users,
};
pub use events::{NotedEvent, SecurityEvents};
pub use limits::{Budget, BudgetKey, DeviceTokens, KnownNetworks, PasswordFailures, Pseudonyms, RateLimiter};
pub use mail::{
    BrokenTemplates, ClaimedMail, MailOutcome, MailQueue, Mailbox, Mailer, Outbox, SendError, StoredMail,
    StoredMailToken,
};
pub use mail_ledger::MailLedger;
pub use recovery::{Confirmed, MailTokens, Recovery, TokenMail};
pub use retention::{Archive, Purged, Retention};
pub use session_endings::{EndedBatch, EndingPlace, OwedEnds, SessionEndings};
pub use sessions::{
    EndCursor, NewSession, News, Revocations, Rotation, SessionDirectory, Sessions, Started, Subscription,
};
pub use tokens::{KeyVault, NewKey, OpenKey, SealedSeed, SigningKeys, StoredKey, TokenError, Tokens};
pub use user_directory::{AccountRecord, Addition, UserDirectory};

/// A failure that no client can act on other than by trying again. Its cause is for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum Unexpected {
    /// Something that authql depends on does not answer: the same request may succeed soon.
    #[error("{what} is unavailable")]
    Unavailable {
        /// What does not answer, such as `Postgres`.
        what: &'static str,
        /// The library's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is more to do than can be done: the same request may succeed after a while.
    #[error("{what} is overloaded")]
    Overloaded {
        /// What has too much to do.
        what: &'static str,
        /// How long it takes to do what there is.
        retry_after: Duration,
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

/// Whether what authql cannot work without is there.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// [`Unexpected::Unavailable`] when it is not. MUST answer within three seconds.
    async fn check(&self) -> Result<(), Unexpected>;
}
