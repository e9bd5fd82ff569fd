//! Security events: lines in the log, and a row of each that is about an account or a key.
//!
//! What succeeds leaves its row in its own transaction. What is refused changes nothing that a row could go along with, and
//! may come by the thousand: it is noted here, beside the request, and written together with others. Who was refused cannot
//! tell from the time it takes whether there was somebody to write it down for.
//!
//! The first refusal of a sort has its line and its row at once. What repeats it is one line and one row a minute, with its
//! number.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::domain::{
    Caller, EventFilter, EventId, EventKind, EventOutcome, EventSubject, Listing, Page, SecurityEvent,
    SessionId, UserId,
};
use crate::ports::{Clock, NotedEvent, SecurityEvents, Unexpected};
use crate::services::repetitions::{MOST_SORTS, Repetitions};

/// How long refusals are collected before they are written.
const PERIOD: Duration = Duration::from_secs(1);
/// For so many periods, refusals of one kind, of one account and from one address are counted instead of told one by one.
const PERIODS_COUNTED: u32 = 60;
/// How many wait to be written at most, while the database does not answer.
const MOST_PENDING: usize = 2 * MOST_SORTS;

/// What is known of an event that has just happened, for the log.
pub(crate) fn log(kind: EventKind, user: Option<UserId>, session: Option<SessionId>, caller: &Caller) {
    log_times(kind, user, session, caller, None);
}

/// The same of what happened several times since it had its line; the request is the last one.
fn log_times(
    kind: EventKind,
    user: Option<UserId>,
    session: Option<SessionId>,
    caller: &Caller,
    times: Option<u32>,
) {
    // A level has to be known when this is compiled.
    macro_rules! line {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                event.kind = kind.as_str(),
                event.outcome = kind.outcome().as_str(),
                event.times = times,
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
        (_, EventOutcome::Refused) if times.is_some() => line!(info, "security event, refused repeatedly"),
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

/// What was refused, and has yet to be written or counted.
pub struct Refusals {
    clock: Arc<dyn Clock>,
    events: Arc<dyn SecurityEvents>,
    state: Mutex<State>,
}

/// Refusals that are counted together.
type Sort = (EventKind, EventSubject, Option<IpAddr>);

#[derive(Default)]
struct State {
    /// The first of each sort, to be written soon, and what repeated it in a minute.
    pending: Vec<NotedEvent>,
    repetitions: Repetitions<Sort, NotedEvent>,
    /// How many had a line, and there was no room for a row.
    unwritten: u64,
}

impl Refusals {
    pub(crate) fn new(clock: Arc<dyn Clock>, events: Arc<dyn SecurityEvents>) -> Self {
        Self { clock, events, state: Mutex::default() }
    }

    /// Notes a refusal down, and logs it if it is the first of its sort. Waits for nothing.
    pub(crate) fn note(&self, kind: EventKind, subject: EventSubject, caller: &Caller) {
        let occurred_at = self.clock.now();
        let event = NotedEvent { kind, occurred_at, times: 1, subject, caller: caller.clone() };
        let first = self.lock().add(event);
        if let Some(first) = first {
            log_refusal(&first, None);
        }
    }

    /// Writes what has been noted, for as long as it is polled.
    pub async fn keep_writing(&self) {
        loop {
            for _ in 0..PERIODS_COUNTED {
                sleep(PERIOD).await;
                self.write().await;
            }
            self.count_anew();
        }
    }

    /// Writes all that has been noted, and logs what has been counted.
    pub async fn finish(&self) {
        self.count_anew();
        self.write().await;
    }

    /// Ends the time in which refusals are counted together: what repeated itself has its line, and will have its row.
    fn count_anew(&self) {
        let (repeated, beyond, unwritten) = {
            let mut state = self.lock();
            let (repeated, beyond) = state.repetitions.take();
            let repeated: Vec<NotedEvent> = repeated
                .into_iter()
                .map(|counted| NotedEvent { times: counted.times, ..counted.last })
                .collect();
            for event in &repeated {
                state.keep(event);
            }
            (repeated, beyond, std::mem::take(&mut state.unwritten))
        };
        for event in &repeated {
            log_refusal(event, Some(event.times));
        }
        if beyond > 0 {
            tracing::warn!(
                times = beyond,
                "more refusals, of too many different sorts for a line or a row each"
            );
        }
        if unwritten > 0 {
            tracing::warn!(times = unwritten, "refusals have no row: too many wait for the database");
        }
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
    /// Hands an event back that is the first of its sort, and keeps it to be written. Counts all others.
    fn add(&mut self, event: NotedEvent) -> Option<NotedEvent> {
        let sort = (event.kind, event.subject.clone(), event.caller.device.address());
        let first = self.repetitions.note(sort, event, 1)?;
        self.keep(&first);
        Some(first)
    }

    /// Keeps an event to be written, unless it is about nobody.
    fn keep(&mut self, event: &NotedEvent) {
        if event.subject == EventSubject::Unknown {
            return;
        }
        if self.pending.len() < MOST_PENDING {
            self.pending.push(event.clone());
        } else {
            self.unwritten += u64::from(event.times);
        }
    }
}

fn log_refusal(event: &NotedEvent, times: Option<u32>) {
    let (user, session) = match &event.subject {
        EventSubject::Account(user) => (Some(*user), None),
        EventSubject::Session(session) => (None, Some(*session)),
        EventSubject::Address(_) | EventSubject::Unknown => (None, None),
    };
    log_times(event.kind, user, session, &event.caller, times);
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
