//! Ending all sessions of an account, however many there are.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Unexpected;
use crate::domain::{EventId, SessionId, UserId};

/// What one step has done. Sessions that are left are dead already: no refresh and no check of the row lets them pass. Only
/// their access tokens still work, until they are announced.
#[derive(Debug, Default)]
#[must_use]
pub struct EndedBatch {
    /// How many live sessions it ended.
    pub count: usize,
    /// Those whose access tokens may not have expired yet.
    pub to_announce: Vec<SessionId>,
    /// What is left to do; `None` when all have ended.
    pub rest: Option<OwedEnds>,
}

/// The sessions of an account that are still to be ended.
#[derive(Debug, Clone, Copy)]
pub struct OwedEnds {
    /// Whose they are.
    pub owner: UserId,
    /// All that are of an older epoch than this one.
    pub epoch: i32,
    /// Where to go on.
    pub place: EndingPlace,
}

/// How far the work has come. It is done in the order of the ids.
#[derive(Debug, Clone, Copy)]
pub enum EndingPlace {
    /// The sessions up to this one have ended.
    Sessions(Option<SessionId>),
    /// All sessions have ended, and the account is being deleted. Its events up to this one name nobody any longer.
    Events(Option<EventId>),
}

/// Ends what [`AccountChanges`], [`Recovery`], [`Sessions`] and [`UserDirectory`] have begun to end.
///
/// [`AccountChanges`]: super::AccountChanges
/// [`Recovery`]: super::Recovery
/// [`Sessions`]: super::Sessions
/// [`UserDirectory`]: super::UserDirectory
#[async_trait]
pub trait SessionEndings: Send + Sync + 'static {
    /// Ends the next ones, a limited number, so that no statement takes long. After the last one of an account that is being
    /// deleted, deletes it. Any number of instances MAY work on one account at once; each MUST find all of them ended when
    /// its own work is done.
    async fn go_on(&self, owed: OwedEnds, now: DateTime<Utc>) -> Result<EndedBatch, Unexpected>;

    /// Some of the accounts whose sessions are still to be ended: where a process died, and where an operator shut an account by
    /// hand.
    async fn owed(&self) -> Result<Vec<OwedEnds>, Unexpected>;
}
