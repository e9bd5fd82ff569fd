//! Which generations of tokens have been seen, noted off the requests' own path.
//!
//! A refresh whose answer was lost may be repeated for as long as nobody has shown what it issued (DESIGN.md §3). So the
//! first sight of a generation is written down, once, together with others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
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
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.noted.get(&session).is_some_and(|noted| *noted >= generation) {
            return;
        }
        if state.noted.len() >= REMEMBERED {
            state.noted.clear();
        }
        state.noted.insert(session, generation);
        state.pending.insert(session, generation);
    }

    /// Writes what is pending, if this session is among it: before the row decides about a refresh.
    pub(crate) async fn settle(&self, session: SessionId) -> Result<(), Unexpected> {
        let is_pending =
            self.state.lock().unwrap_or_else(PoisonError::into_inner).pending.contains_key(&session);
        if is_pending { self.write().await } else { Ok(()) }
    }

    /// Writes what has been collected once a second, for as long as it is polled.
    pub async fn keep_writing(&self) {
        loop {
            sleep(PERIOD).await;
            if let Err(error) = self.write().await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "sightings were not written; trying again"
                );
            }
        }
    }

    /// Writes what is still pending, at the end.
    pub async fn finish(&self) {
        if let Err(error) = self.write().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last sightings were not written");
        }
    }

    async fn write(&self) -> Result<(), Unexpected> {
        let batch: Vec<_> =
            self.state.lock().unwrap_or_else(PoisonError::into_inner).pending.drain().collect();
        if batch.is_empty() {
            return Ok(());
        }
        let written = self.sessions.note_seen(&batch).await;
        if written.is_err() {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            for (session, generation) in batch {
                let pending = state.pending.entry(session).or_insert(generation);
                *pending = generation.max(*pending);
            }
        }
        written
    }
}
