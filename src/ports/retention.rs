//! Forgetting what is of no use any longer.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Unexpected;

/// From when on what is kept. Everything older is forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// To whom mails went, and what their servers said of it: by when a mail was sent, given up or suppressed.
    pub recipients: DateTime<Utc>,
    /// The mails themselves, by the same.
    pub mails: DateTime<Utc>,
    /// Sessions, by when they ended, or would have ended at the latest.
    pub sessions: DateTime<Utc>,
    /// One-time tokens, by when they expired.
    pub mail_tokens: DateTime<Utc>,
    /// Security events, by when they happened.
    pub events: DateTime<Utc>,
    /// Counts of wrong passwords, by the last of them.
    pub password_failures: DateTime<Utc>,
}

/// How many rows of each kind were purged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Mails whose recipient was forgotten.
    pub recipients: u64,
    /// Mails that were removed.
    pub mails: u64,
    /// Sessions that were removed.
    pub sessions: u64,
    /// One-time tokens that were removed.
    pub mail_tokens: u64,
    /// Security events that were removed.
    pub events: u64,
    /// Counts of wrong passwords that were removed.
    pub password_failures: u64,
}

/// What is forgotten in the course of time (docs/security.md DAT-2, MAI-8).
#[async_trait]
pub trait Archive: Send + Sync + 'static {
    /// Forgets some of what is older, a limited number of rows of each kind, so that no statement takes long. Answers how many;
    /// zero of each when nothing is left. Several instances MAY do so at once.
    async fn purge(&self, retention: Retention) -> Result<Purged, Unexpected>;
}
