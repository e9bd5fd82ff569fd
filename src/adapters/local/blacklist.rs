//! The blacklist of a single instance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::SessionId;
use crate::ports::{Blacklist, Clock, Unexpected};

/// [`Blacklist`] in memory.
pub struct LocalBlacklist {
    clock: Arc<dyn Clock>,
    until: Mutex<HashMap<SessionId, DateTime<Utc>>>,
}

impl LocalBlacklist {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, until: Mutex::default() }
    }
}

#[async_trait]
impl Blacklist for LocalBlacklist {
    async fn add(&self, sessions: &[SessionId], ttl: TimeDelta) -> Result<(), Unexpected> {
        let now = self.clock.now();
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, end| *end > now);
        until.extend(sessions.iter().map(|session| (*session, now + ttl)));
        Ok(())
    }

    async fn contains(&self, session: SessionId) -> Result<bool, Unexpected> {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(until.get(&session).is_some_and(|end| *end > self.clock.now()))
    }
}
