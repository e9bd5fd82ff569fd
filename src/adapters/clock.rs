//! The machine's clock, the one place that reads it.

use chrono::{DateTime, Utc};

use crate::ports::Clock;

/// The machine's wall clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the adapter that the others are told to use")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
