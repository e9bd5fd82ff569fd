//! The mails of the last weeks, as an operator sees them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Unexpected;
use crate::domain::{MailId, MailRecord, MailState};

/// What has become of mails. Changes MUST be one atomic statement each, so that a worker sees a mail before or after.
#[async_trait]
pub trait MailLedger: Send + Sync + 'static {
    /// The newest mails first, those in this state if one is given, `count` at most.
    async fn list(&self, state: Option<MailState>, count: u32) -> Result<Vec<MailRecord>, Unexpected>;

    /// The mail, if it is known.
    async fn find(&self, id: MailId) -> Result<Option<MailRecord>, Unexpected>;

    /// Makes this dead mail, or all of them, pending again and due now. MUST leave those that could not be read any more: whose
    /// recipient has been forgotten, or whose link no longer works. Answers how many it changed.
    async fn retry(&self, id: Option<MailId>, now: DateTime<Utc>) -> Result<u64, Unexpected>;

    /// Suppresses a pending mail. `false` when there is none with this id.
    async fn suppress(&self, id: MailId, reason: &str, now: DateTime<Utc>) -> Result<bool, Unexpected>;
}
