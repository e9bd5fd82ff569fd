//! How often something may happen, and the arithmetic of it: the generic cell rate algorithm (ITU-T I.371), which needs
//! one number for each budget.

use std::num::NonZeroU32;
use std::time::Duration;

/// So many at once, and in the long run so many in each period: a budget of `count` that is refilled evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many times.
    pub count: NonZeroU32,
    /// In what time.
    pub period: Duration,
}

/// What the operator allows; where a rate is `None`, as much as anybody likes.
#[derive(Debug, Clone, Copy)]
pub struct LimitPolicy {
    /// What one network may try, whatever it is.
    pub network: Option<Rate>,
    /// What one network may try at one account.
    pub account: Option<Rate>,
    /// How often one session may be refreshed.
    pub session: Option<Rate>,
}

impl Rate {
    /// `factor` times as many in the same period.
    #[must_use]
    pub fn times(self, factor: NonZeroU32) -> Self {
        Self { count: self.count.saturating_mul(factor), ..self }
    }

    /// The time between two of them when they are spread evenly: how long it takes to refill what one has used.
    #[must_use]
    pub fn interval(self) -> Duration {
        self.period / self.count.get()
    }

    /// Counts an attempt at `now` against a budget that will be full again at `full_at`; both count from the same moment.
    /// Answers when it will be full after that.
    ///
    /// # Errors
    /// How long to wait, where the budget is empty.
    pub fn admit(self, full_at: Duration, now: Duration) -> Result<Duration, Duration> {
        let next = full_at.max(now) + self.interval();
        match next.checked_sub(now + self.period) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(count: u32, seconds: u64) -> Rate {
        Rate { count: NonZeroU32::new(count).unwrap(), period: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_full_budget_is_used_at_once_and_refilled_evenly() {
        let (rate, mut full_at, mut now) = (rate(6, 600), Duration::ZERO, Duration::from_hours(1));
        for _ in 0..6 {
            full_at = rate.admit(full_at, now).unwrap();
        }
        assert_eq!(rate.admit(full_at, now), Err(Duration::from_secs(100)));
        now += Duration::from_secs(99);
        assert_eq!(rate.admit(full_at, now), Err(Duration::from_secs(1)));
        now += Duration::from_secs(1);
        full_at = rate.admit(full_at, now).unwrap();
        assert_eq!(rate.admit(full_at, now), Err(Duration::from_secs(100)), "waiting saves one, not all");
    }

    proptest! {
        /// Whatever the attacker's timing: in no span of time are more admitted than one full budget and what is refilled in
        /// it; and whoever waits as long as they are told is admitted.
        #[test]
        fn no_timing_gets_more_than_its_share(
            count in 1..20_u32,
            seconds in 1..600_u64,
            pauses in prop::collection::vec(0..60_000_u64, 1..200),
        ) {
            let rate = rate(count, seconds);
            let (mut full_at, mut now, mut admitted) = (Duration::ZERO, Duration::from_hours(1), Vec::new());
            for pause in pauses {
                now += Duration::from_millis(pause);
                match rate.admit(full_at, now) {
                    Ok(next) => {
                        full_at = next;
                        admitted.push(now);
                    }
                    Err(wait) => prop_assert!(rate.admit(full_at, now + wait).is_ok()),
                }
            }
            for (first, from) in admitted.iter().enumerate() {
                for (last, to) in admitted.iter().enumerate().skip(first) {
                    let refilled = to.abs_diff(*from).as_nanos() / rate.interval().as_nanos();
                    prop_assert!((last - first) as u128 <= u128::from(count) + refilled);
                }
            }
        }
    }
}
