//! A clock that tests move.

use std::sync::Mutex;

use authql::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};

/// Shows the real time, and what a test has added to it.
pub struct TestClock(Mutex<TimeDelta>);

impl TestClock {
    pub fn new() -> Self {
        Self(Mutex::new(TimeDelta::zero()))
    }

    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "what is moved is the real time, so that it never stands still"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + *self.0.lock().unwrap()
    }
}
