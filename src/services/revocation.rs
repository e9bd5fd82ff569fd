//! What this instance knows of sessions that have ended, so that the guard need not ask anybody.
//!
//! Two sources, because each can fail alone: the announcements of the other instances, within milliseconds; and the rows
//! themselves, looked through several times a second, which also have what nobody could announce. Only while both are known
//! to be complete up to a second ago does the mirror speak for itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::time::{sleep, timeout};

use crate::domain::{CLOCK_SKEW, SessionId};
use crate::ports::{Clock, EndCursor, Revocations, Sessions, Unexpected};

/// How old the knowledge may be that an answer relies on. An end that could not be announced is held back this long.
const FRESH: Duration = Duration::from_secs(1);
/// How often all recent ends are read again.
const WHOLE: Duration = Duration::from_secs(30);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the rows are looked through.
const PERIOD: Duration = Duration::from_millis(250);

/// The mirror of recent revocations.
pub struct Mirror {
    revocations: Arc<dyn Revocations>,
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
    /// How long an access token may outlive its session.
    ttl: TimeDelta,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// The ended sessions, and until when they are remembered.
    ended: HashMap<SessionId, Instant>,
    /// Since when announcements are heard without a gap.
    subscribed_at: Option<Instant>,
    /// Everything announced before has been heard.
    heard_as_of: Option<Instant>,
    /// Everything committed before has been read.
    read_as_of: Option<Instant>,
    /// Whether our clock is so far from that of the database that tokens may outlive what is remembered of their sessions.
    is_clock_off: bool,
}

/// What the mirror knows of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has ended.
    Ended,
    /// It had not ended a second ago, and nobody has said so since.
    Live,
    /// The mirror may be out of date: ask the row.
    Unknown,
}

impl Mirror {
    /// An empty one, which knows nothing until it is [followed](Self::follow).
    pub(crate) fn new(
        revocations: Arc<dyn Revocations>,
        sessions: Arc<dyn Sessions>,
        clock: Arc<dyn Clock>,
        ttl: TimeDelta,
    ) -> Self {
        Self { revocations, sessions, clock, ttl, known: RwLock::default() }
    }

    /// What is known of a session, without asking anybody.
    #[must_use]
    pub fn standing(&self, session: SessionId) -> Standing {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.ended.contains_key(&session) {
            Standing::Ended
        } else if known.is_fresh(Instant::now()) {
            Standing::Live
        } else {
            Standing::Unknown
        }
    }

    /// Makes it known everywhere that these sessions, whose rows say so already, have ended. When this returns, no instance
    /// lets them pass.
    pub async fn revoke(&self, sessions: &[SessionId]) {
        self.remember(sessions);
        if let Err(error) = self.revocations.announce(sessions, self.ttl).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "ended sessions could not be announced; waiting until every instance has read their rows"
            );
            sleep(FRESH + PERIOD).await;
        }
    }

    /// Keeps the mirror up to date, for as long as it is polled.
    pub async fn follow(&self) {
        tokio::join!(self.keep_listening(), self.keep_reading());
    }

    async fn keep_listening(&self) {
        let mut was_heard = true;
        loop {
            let Err(error) = self.listen().await;
            if std::mem::take(&mut was_heard) {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "revocations of other instances are not heard; the rows of sessions are asked for instead"
                );
            }
            was_heard |=
                self.known.write().unwrap_or_else(PoisonError::into_inner).subscribed_at.take().is_some();
            sleep(PERIOD).await;
        }
    }

    /// Hears announcements until that fails.
    async fn listen(&self) -> Result<Infallible, Unexpected> {
        let mut subscription = self.revocations.subscribe().await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).subscribed_at = Some(Instant::now());
        loop {
            let news = subscription.next().await?;
            self.remember(&news.ended);
            if news.complete_as_of.is_some() {
                self.known.write().unwrap_or_else(PoisonError::into_inner).heard_as_of = news.complete_as_of;
            }
        }
    }

    async fn keep_reading(&self) {
        let mut last_whole = None;
        let (mut cursor, mut was_read, mut was_off) = (None, true, false);
        loop {
            // From time to time everything again: what took long to commit may stand behind the cursor.
            if last_whole.is_none_or(|last: Instant| last.elapsed() > WHOLE) {
                (cursor, last_whole) = (None, Some(Instant::now()));
            }
            let read = timeout(PATIENCE, self.read(cursor)).await;
            match read.unwrap_or_else(|elapsed| Err(Unexpected::unavailable("Postgres", elapsed))) {
                Ok(next) => {
                    (cursor, was_read) = (Some(next), true);
                    let offset = self.clock.now() - next.0;
                    // Then a token may outlive what is remembered of its session.
                    let is_off = offset.abs() > CLOCK_SKEW;
                    if is_off && !was_off {
                        tracing::warn!(
                            seconds = offset.num_seconds(),
                            "the clock of this machine differs from that of the database: synchronise both; until then, the \
                             row of each session is asked for"
                        );
                    }
                    self.known.write().unwrap_or_else(PoisonError::into_inner).is_clock_off = is_off;
                    was_off = is_off;
                }
                Err(error) => {
                    if std::mem::take(&mut was_read) {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the ends of sessions cannot be read; each is asked for instead"
                        );
                    }
                }
            }
            sleep(PERIOD).await;
        }
    }

    async fn read(&self, cursor: Option<EndCursor>) -> Result<EndCursor, Unexpected> {
        let began = Instant::now();
        let (ended, next) = self.sessions.ended_since(cursor).await?;
        self.remember(&ended);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.read_as_of = Some(began);
        known.ended.retain(|_, until| *until > began);
        Ok(next)
    }

    fn remember(&self, sessions: &[SessionId]) {
        if sessions.is_empty() {
            return;
        }
        let until = Instant::now() + self.ttl.to_std().unwrap_or_default();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.ended.extend(sessions.iter().map(|session| (*session, until)));
    }
}

impl Known {
    fn is_fresh(&self, now: Instant) -> bool {
        if self.is_clock_off {
            return false;
        }
        let (Some(subscribed), Some(heard), Some(read)) =
            (self.subscribed_at, self.heard_as_of, self.read_as_of)
        else {
            return false;
        };
        // What was announced before the subscription is in the rows that were read after it.
        now.duration_since(heard) < FRESH && now.duration_since(read) < FRESH && subscribed <= read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(now: Instant) -> Known {
        Known { subscribed_at: Some(now), heard_as_of: Some(now), read_as_of: Some(now), ..Known::default() }
    }

    #[test]
    fn knowledge_is_fresh_for_a_second_and_only_when_it_is_whole() {
        let now = Instant::now();
        assert!(known(now).is_fresh(now));
        assert!(!known(now).is_fresh(now + FRESH));
        assert!(!Known { heard_as_of: None, ..known(now) }.is_fresh(now));
        assert!(!Known { read_as_of: None, ..known(now) }.is_fresh(now));
        assert!(!Known { subscribed_at: None, ..known(now) }.is_fresh(now));
        assert!(!Known { is_clock_off: true, ..known(now) }.is_fresh(now));
    }

    #[test]
    fn rows_that_were_read_before_the_subscription_leave_a_gap() {
        let now = Instant::now();
        let later = now + Duration::from_millis(10);
        assert!(
            !Known { subscribed_at: Some(later), heard_as_of: Some(later), ..known(now) }.is_fresh(later)
        );
    }
}
