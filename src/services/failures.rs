//! What could not be answered, in the log. While Postgres is away every request fails, of strangers too: the first has its line,
//! and the others are counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::ports::Unexpected;
use crate::services::repetitions::Repetitions;

/// How long failures are counted together.
const PERIOD: Duration = Duration::from_mins(1);
/// How many faults of ours of one sort have a line each in that time: whoever meets one tells the operator its request id.
const FAULTS_TOLD: u32 = 10;

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Failure {
    /// What a request needs does not answer, or has too much to do.
    Unserved,
    /// A request met a fault of ours.
    Fault,
    /// Whoever asked whether authql can do its work.
    NotReady,
}

/// A failure, and what it was about.
type Sort = (Failure, &'static str);

/// What failed in the last minute.
#[derive(Default)]
pub struct Failures(Mutex<Repetitions<Sort, Sort>>);

impl Failures {
    /// Logs that a request could not be answered, with its cause, or counts it.
    pub fn log_request(&self, error: &Unexpected) {
        let cause = error as &dyn std::error::Error;
        match error {
            Unexpected::Unavailable { what, .. } | Unexpected::Overloaded { what, .. } => {
                if self.is_to_be_told((Failure::Unserved, what), 1) {
                    tracing::warn!(error = cause, "a request could not be served");
                }
            }
            Unexpected::Fault { what, .. } => {
                if self.is_to_be_told((Failure::Fault, what), FAULTS_TOLD) {
                    tracing::error!(error = cause, "a request failed");
                }
            }
        }
    }

    /// Logs that authql cannot do its work, with the cause, or counts it.
    pub fn log_not_ready(&self, error: &Unexpected) {
        if self.is_to_be_told((Failure::NotReady, "readiness"), 1) {
            tracing::warn!(error = error as &dyn std::error::Error, "not ready");
        }
    }

    /// Logs the numbers, for as long as it is polled.
    pub async fn keep_counting(&self) {
        loop {
            sleep(PERIOD).await;
            self.finish();
        }
    }

    /// Logs what has been counted.
    pub fn finish(&self) {
        let (repeated, _) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        for counted in repeated {
            let ((failure, what), times) = (counted.last, counted.times);
            match failure {
                Failure::Unserved => tracing::warn!(what, times, "more requests could not be served"),
                Failure::Fault => tracing::error!(what, times, "more requests failed"),
                Failure::NotReady => tracing::warn!(times, "not ready, asked again"),
            }
        }
    }

    fn is_to_be_told(&self, sort: Sort, told: u32) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(sort, sort, told).is_some()
    }
}

#[cfg(test)]
mod tests;
