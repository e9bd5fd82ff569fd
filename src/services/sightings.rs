//! Which generations of tokens have been seen, noted off the requests' own path.
//!
//! A refresh whose answer was lost may be repeated for as long as nobody has shown what it issued (docs/design.md#sessions). So the
//! first sight of a generation is written down, once, together with others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::domain::{Generation, SessionId};
use crate::ports::{Sessions, Unexpected};

/// How long first sights are collected before they are written.
const PERIOD: Duration = Duration::from_secs(1);
/// How many sessions are remembered, so that each generation is written once. Beyond it some are written again.
const REMEMBERED: usize = 100_000;

/// The sightings of this instance.
pub struct Sightings {
    sessions: Arc<dyn Sessions>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    noted: HashMap<SessionId, Generation>,
    pending: HashMap<SessionId, Generation>,
}

impl Sightings {
    pub(crate) fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self { sessions, state: Mutex::default() }
    }

    /// Notes that a token of this generation was presented. Waits for nothing.
    pub(crate) fn note(&self, session: SessionId, generation: Generation) {
        let mut state = self.lock();
        if state.noted.get(&session).is_some_and(|noted| *noted >= generation) {
            return;
        }
        if state.noted.len() >= REMEMBERED {
            state.noted.clear();
        }
        state.noted.insert(session, generation);
        state.pending.insert(session, generation);
    }

    /// Writes what is pending of this session, before its row decides about a refresh.
    pub(crate) async fn settle(&self, session: SessionId) -> Result<(), Unexpected> {
        let pending = self.lock().pending.get(&session).copied();
        match pending {
            Some(generation) => self.write(&[(session, generation)]).await,
            None => Ok(()),
        }
    }

    /// Writes what has been collected once a second, for as long as it is polled.
    pub async fn keep_writing(&self) {
        loop {
            sleep(PERIOD).await;
            self.finish().await;
        }
    }

    /// Writes all that is pending.
    pub async fn finish(&self) {
        let batch: Vec<_> =
            self.lock().pending.iter().map(|(session, generation)| (*session, *generation)).collect();
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.write(&batch).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "sightings were not written; trying again"
            );
        }
    }

    /// What is written leaves the list afterwards, so that nothing is lost when nobody waits for this any longer.
    async fn write(&self, batch: &[(SessionId, Generation)]) -> Result<(), Unexpected> {
        self.sessions.note_seen(batch).await?;
        let pending = &mut self.lock().pending;
        for (session, written) in batch {
            if pending.get(session).is_some_and(|generation| generation <= written) {
                pending.remove(session);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use chrono::{DateTime, Utc};
    use tokio::time::timeout;

    use super::*;
    use crate::domain::{Caller, RefreshToken, RotationPolicy, SessionEnd};
    use crate::ports::{EndCursor, EndedBatch, NewSession, Rotation, Started};

    /// A database that takes a statement and never answers. Nothing but a sighting is ever asked of it.
    struct Hanging;

    fn missing() -> Unexpected {
        Unexpected::fault("this test", "does not need it")
    }

    #[async_trait]
    impl Sessions for Hanging {
        async fn start(&self, _: &NewSession, _: &Caller) -> Result<Option<Started>, Unexpected> {
            Err(missing())
        }
        async fn rotate(
            &self,
            _: RefreshToken,
            _: &Caller,
            _: RotationPolicy,
            _: DateTime<Utc>,
        ) -> Result<Rotation, Unexpected> {
            Err(missing())
        }
        async fn end(
            &self,
            _: SessionId,
            _: SessionEnd,
            _: &Caller,
            _: DateTime<Utc>,
        ) -> Result<Vec<SessionId>, Unexpected> {
            Err(missing())
        }
        async fn end_siblings(
            &self,
            _: SessionId,
            _: &Caller,
            _: DateTime<Utc>,
        ) -> Result<EndedBatch, Unexpected> {
            Err(missing())
        }
        async fn is_live(&self, _: SessionId, _: DateTime<Utc>) -> Result<bool, Unexpected> {
            Err(missing())
        }
        async fn note_seen(&self, _: &[(SessionId, Generation)]) -> Result<(), Unexpected> {
            std::future::pending().await
        }
        async fn ended_since(&self, _: Option<EndCursor>) -> Result<(Vec<SessionId>, EndCursor), Unexpected> {
            Err(missing())
        }
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_takes_no_sighting_with_it() {
        let sightings = Sightings::new(Arc::new(Hanging));
        let session = SessionId::generate(DateTime::UNIX_EPOCH);
        sightings.note(session, Generation::FIRST);
        assert!(timeout(Duration::from_millis(1), sightings.settle(session)).await.is_err());
        assert_eq!(sightings.lock().pending.get(&session), Some(&Generation::FIRST));
    }
}
