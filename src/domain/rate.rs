//! How often something may happen.

use std::num::NonZeroU32;
use std::time::Duration;

/// So many times in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many times.
    pub count: NonZeroU32,
    /// In what time.
    pub period: Duration,
}

impl Rate {
    /// The time between two of them when they are spread evenly.
    #[must_use]
    pub fn interval(self) -> Duration {
        self.period / self.count.get()
    }
}
