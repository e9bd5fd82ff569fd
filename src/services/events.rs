//! Security events: one line each in the log, and a row of each that is about an account or a key.
//!
//! What succeeds leaves its row in its own transaction. What is refused changes nothing that a row could go along with, and
//! may come by the thousand: it is noted here, beside the request, and written together with others. Who was refused cannot
//! tell from the time it takes whether there was somebody to write it down for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::domain::{
    Caller, EventFilter, EventId, EventKind, EventOutcome, EventSubject, Listing, Page, SecurityEvent,
    SessionId, UserId,
};
use crate::ports::{Clock, NotedEvent, SecurityEvents, Unexpected};

/// How long refusals are collected before they are written.
const PERIOD: Duration = Duration::from_secs(1);
/// For so many periods, refusals of one kind, of one account and from one address are counted instead of kept one by one.
const PERIODS_COUNTED: u32 = 60;
/// How many different ones are kept in that time. What goes beyond is in the log only.
const MOST_KEPT: usize = 2000;

/// What is known of an event that has just happened, for the log.
pub(crate) fn log(kind: EventKind, user: Option<UserId>, session: Option<SessionId>, caller: &Caller) {
    // A level has to be known when this is compiled.
    macro_rules! line {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                event.kind = kind.as_str(),
                event.outcome = kind.outcome().as_str(),
                user.id = user.map(display),
                session.id = session.map(display),
                client.address = caller.device.address().map(display),
                request.id = caller.request_id.as_ref().map(display),
                $text
            )
        };
    }
    match (kind, kind.outcome()) {
        (EventKind::RefreshTokenReused, _) => {
            line!(warn, "a used refresh token came back; the session was ended");
        }
        (_, EventOutcome::Succeeded) => line!(info, "security event"),
        (_, EventOutcome::Refused) => line!(info, "security event, refused"),
    }
}

/// A refresh that succeeded: there are too many of them for a row each.
pub(crate) fn log_refresh(user: UserId, session: SessionId, caller: &Caller) {
    tracing::info!(
        event.kind = "refreshed",
        event.outcome = EventOutcome::Succeeded.as_str(),
        user.id = %user,
        session.id = %session,
        client.address = caller.device.address().map(display),
        request.id = caller.request_id.as_ref().map(display),
        "security event"
    );
}

/// What was refused and has yet to be written.
pub struct Refusals {
    clock: Arc<dyn Clock>,
    events: Arc<dyn SecurityEvents>,
    state: Mutex<State>,
}

/// Refusals that are counted together.
type Sort = (EventKind, EventSubject, Option<IpAddr>);

#[derive(Default)]
struct State {
    /// The first of each sort, to be written soon, and what is left over from counting.
    pending: Vec<NotedEvent>,
    /// What each sort came to since its first.
    counted: HashMap<Sort, Option<NotedEvent>>,
    /// How many were of too many sorts.
    lost: u64,
}

impl Refusals {
    pub(crate) fn new(clock: Arc<dyn Clock>, events: Arc<dyn SecurityEvents>) -> Self {
        Self { clock, events, state: Mutex::default() }
    }

    /// Logs a refusal, and notes it down. Waits for nothing.
    pub(crate) fn note(&self, kind: EventKind, subject: EventSubject, caller: &Caller) {
        let (user, session) = match &subject {
            EventSubject::Account(user) => (Some(*user), None),
            EventSubject::Session(session) => (None, Some(*session)),
            EventSubject::Address(_) | EventSubject::Unknown => (None, None),
        };
        log(kind, user, session, caller);
        if subject == EventSubject::Unknown {
            return;
        }
        let occurred_at = self.clock.now();
        self.lock().add(NotedEvent { kind, occurred_at, times: 1, subject, caller: caller.clone() });
    }

    /// Writes what has been noted, for as long as it is polled.
    pub async fn keep_writing(&self) {
        loop {
            for _ in 0..PERIODS_COUNTED {
                sleep(PERIOD).await;
                self.write().await;
            }
            self.lock().count_anew();
        }
    }

    /// Writes all that has been noted.
    pub async fn finish(&self) {
        self.lock().count_anew();
        self.write().await;
    }

    async fn write(&self) {
        let batch = self.lock().pending.clone();
        if batch.is_empty() {
            return;
        }
        match self.events.record(&batch).await {
            // Others were noted behind them meanwhile.
            Ok(()) => drop(self.lock().pending.drain(..batch.len())),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "refusals were not written; trying again"
            ),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, event: NotedEvent) {
        let sort = (event.kind, event.subject.clone(), event.caller.device.address());
        let has_room = self.counted.len() < MOST_KEPT && self.pending.len() < 2 * MOST_KEPT;
        match self.counted.get_mut(&sort) {
            Some(Some(counted)) => {
                let times = counted.times.saturating_add(1);
                *counted = NotedEvent { times, ..event };
            }
            Some(first_only) => *first_only = Some(event),
            None if has_room => {
                self.counted.insert(sort, None);
                self.pending.push(event);
            }
            None => self.lost += 1,
        }
    }

    /// Ends the time in which refusals are counted together.
    fn count_anew(&mut self) {
        self.pending.extend(self.counted.drain().filter_map(|(_, counted)| counted));
        if self.lost > 0 {
            tracing::warn!(lost = self.lost, "so many refusals have no row: there were too many at once");
            self.lost = 0;
        }
    }
}

/// What people see of the events of their accounts, and operators of all.
pub struct EventHistory {
    pub(crate) events: Arc<dyn SecurityEvents>,
}

impl EventHistory {
    /// A page of the events of an account, newest first.
    ///
    /// # Errors
    /// [`Unexpected`] when they could not be read.
    pub async fn list(
        &self,
        owner: UserId,
        page: Page<EventId>,
    ) -> Result<Listing<SecurityEvent>, Unexpected> {
        Ok(page.cut(self.events.list(owner, page.widened()).await?))
    }

    /// An event of this account. `None` for one of somebody else.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be read.
    pub async fn find(&self, owner: UserId, id: EventId) -> Result<Option<SecurityEvent>, Unexpected> {
        self.events.find(owner, id).await
    }

    /// What an operator looks for, newest first.
    ///
    /// # Errors
    /// [`Unexpected`] when they could not be read.
    pub async fn search(&self, filter: &EventFilter) -> Result<Vec<SecurityEvent>, Unexpected> {
        self.events.search(filter).await
    }
}

#[cfg(test)]
pub(crate) mod tests;
