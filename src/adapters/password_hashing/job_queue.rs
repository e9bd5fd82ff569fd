//! The queue that requests and lanes share.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::fair_queue::{self, FairQueue};
use crate::domain::{Password, PasswordPolicy, Requester, Weakness};
use crate::ports::{Match, Unexpected};

/// How many passwords may wait for each lane: about two seconds of work at the default cost. The known have half of
/// it, so that what either class waits for is one.
const QUEUE_PER_LANE: usize = 128;

/// Where an answer goes. It goes nowhere when nobody waits any longer.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Unexpected>>;

/// One password for a lane.
pub(super) enum Job {
    Hash(Password, Reply<String>),
    Verify(Password, Option<String>, Reply<Match>),
    CheckStrength(Password, PasswordPolicy, Vec<String>, Reply<Option<Weakness>>),
}

/// A [`FairQueue`] whose lanes sleep while it is empty.
pub(super) struct JobQueue {
    lanes: usize,
    state: Mutex<State>,
    has_changed: Condvar,
}

struct State {
    jobs: FairQueue<Job>,
    is_closed: bool,
    /// How long a password took lately.
    pace: Duration,
}

impl JobQueue {
    /// A queue for so many lanes.
    pub(super) fn new(lanes: usize) -> Self {
        let jobs = FairQueue::new(lanes * QUEUE_PER_LANE);
        let state = Mutex::new(State { jobs, is_closed: false, pace: Duration::ZERO });
        Self { lanes, state, has_changed: Condvar::new() }
    }

    /// Lets a job wait for a lane. The one that has no room then, be it this or another, is answered
    /// [`Unexpected::Overloaded`].
    pub(super) fn push(&self, requester: Requester, job: Job) {
        let mut state = self.lock();
        let refused = state.jobs.push(requester, job);
        let turns = state.jobs.len().div_ceil(self.lanes.max(1));
        let retry_after = state.pace.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX));
        drop(state);
        self.has_changed.notify_one();
        if let Some(job) = refused {
            job.refuse(Unexpected::Overloaded { what: "password hashing", retry_after });
        }
    }

    /// The next job for a lane, which sleeps until there is one. [`finish`](Self::finish) MUST be called when it is done.
    /// `None` when the queue is closed.
    pub(super) fn take(&self) -> Option<(Requester, Job)> {
        let mut state = self.lock();
        loop {
            if let Some(taken) = state.jobs.take() {
                return Some(taken);
            }
            if state.is_closed {
                return None;
            }
            state = self.has_changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says that a lane is done with a job, and how long that took, unless it says nothing of the next ones.
    pub(super) fn finish(&self, requester: Requester, took: Option<Duration>) {
        let mut state = self.lock();
        state.jobs.finish(requester);
        state.pace = took.unwrap_or(state.pace);
    }

    /// Ends each lane that has nothing to do.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.has_changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// Answers without work. The result of a send is of no interest: a client that went away gets no answer.
    fn refuse(self, error: Unexpected) {
        match self {
            Self::Hash(_, reply) => drop(reply.send(Err(error))),
            Self::Verify(_, _, reply) => drop(reply.send(Err(error))),
            Self::CheckStrength(_, _, _, reply) => drop(reply.send(Err(error))),
        }
    }
}

impl fair_queue::Job for Job {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Hash(_, reply) => reply.is_closed(),
            Self::Verify(_, _, reply) => reply.is_closed(),
            Self::CheckStrength(_, _, _, reply) => reply.is_closed(),
        }
    }
}
