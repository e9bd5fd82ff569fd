//! Events that somebody may have to look into.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Unexpected;
use crate::domain::{Caller, EventFilter, EventId, EventKind, EventSubject, Page, SecurityEvent, UserId};

/// A refusal that was noted beside the request that it ended.
#[derive(Debug, Clone)]
pub struct NotedEvent {
    /// What happened.
    pub kind: EventKind,
    /// When; the last time, if it happened several times.
    pub occurred_at: DateTime<Utc>,
    /// How often.
    pub times: u32,
    /// Whose account it was about.
    pub subject: EventSubject,
    /// Whose request it was.
    pub caller: Caller,
}

/// Events as they are kept.
///
/// What succeeds leaves its event itself: each port that changes something says so, and does it in the same transaction. No
/// event tells anything personal of an account that is gone: one that comes too late MUST NOT be kept.
///
/// Equal events in a row of one account (kind, session, address, user agent) MUST be one event with their count and their last
/// time, for a day from the first of them. Parallel writers MUST NOT lose a count.
#[async_trait]
pub trait SecurityEvents: Send + Sync + 'static {
    /// Keeps what was refused, in one statement. What is about no account that there is MUST leave nothing.
    async fn record(&self, noted: &[NotedEvent]) -> Result<(), Unexpected>;

    /// A page of the events of an account, MUST be newest first from whichever end it is counted.
    async fn list(&self, owner: UserId, page: Page<EventId>) -> Result<Vec<SecurityEvent>, Unexpected>;

    /// The event, if it is one of this account.
    async fn find(&self, owner: UserId, id: EventId) -> Result<Option<SecurityEvent>, Unexpected>;

    /// What an operator looks for, newest first.
    async fn search(&self, filter: &EventFilter) -> Result<Vec<SecurityEvent>, Unexpected>;
}
