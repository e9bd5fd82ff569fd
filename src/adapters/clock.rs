//! The machine's clock, the one place that reads it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::ports::Clock;

/// The machine's wall clock, kept from stepping back while this process runs: tokens that it has just issued would be of
/// the future, sessions would live longer, and mail would wait (docs/faults.md F25).
pub struct SystemClock(Mutex<(Instant, DateTime<Utc>)>);

impl SystemClock {
    /// Starts with what the wall clock shows.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new((Instant::now(), wall())))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let present = Instant::now();
        *shown = (present, advance(shown.1, present.duration_since(shown.0), wall()));
        shown.1
    }
}

/// What to show after `shown`, when so much time has passed and the wall clock shows `wall`. Where the wall clock is ahead, as
/// after a suspension, it is right; where it is behind, this clock goes at half its speed until they agree again.
fn advance(shown: DateTime<Utc>, elapsed: Duration, wall: DateTime<Utc>) -> DateTime<Utc> {
    let elapsed = TimeDelta::from_std(elapsed).unwrap_or_default();
    if shown + elapsed <= wall { wall } else { wall.max(shown + elapsed / 2) }
}

#[expect(clippy::disallowed_methods, reason = "the adapter that the others are told to use")]
fn wall() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_forward_is_followed_and_a_step_back_is_caught_up_with() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let at = |seconds| start + TimeDelta::seconds(seconds);
        let second = Duration::from_secs(1);
        assert_eq!(advance(start, second, at(1)), at(1));
        assert_eq!(advance(start, second, at(3600)), at(3600));
        // An hour back: for two hours this clock goes half as fast, and then both show the same.
        assert_eq!(advance(start, 2 * second, at(2 - 3600)), at(1));
        assert_eq!(advance(start, Duration::from_hours(2), at(7200 - 3600)), at(3600));
        assert_eq!(advance(at(3600), second, at(3601)), at(3601));
    }

    #[test]
    fn it_never_goes_back() {
        let clock = SystemClock::new();
        let mut last = clock.now();
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
