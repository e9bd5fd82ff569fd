//! The rate limits of a single instance, and of each instance while Redis does not answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{Budget, BudgetKey, Clock, RateLimiter};

/// How many budgets are kept, in about 100 MB. Full ones are the same as none, so only an attack from a million networks
/// comes here.
const MOST_BUDGETS: usize = 1_000_000;
/// How many are kept at least before full ones are looked for.
const FIRST_SWEEP: usize = 10_000;

/// [`RateLimiter`] in a map.
pub struct LocalRateLimiter {
    clock: Arc<dyn Clock>,
    budgets: Mutex<Budgets>,
}

struct Budgets {
    /// When each will be full again, counted from the Unix epoch.
    full_at: HashMap<BudgetKey, Duration>,
    /// How many there may be before full ones are looked for again.
    sweep_at: usize,
}

impl LocalRateLimiter {
    /// One whose budgets are all full.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let budgets = Budgets { full_at: HashMap::new(), sweep_at: FIRST_SWEEP };
        Self { clock, budgets: Mutex::new(budgets) }
    }

    fn now(&self) -> Duration {
        let now = self.clock.now() - chrono::DateTime::UNIX_EPOCH;
        now.to_std().unwrap_or_default()
    }
}

#[async_trait]
impl RateLimiter for LocalRateLimiter {
    async fn reserve(&self, budgets: &[Budget]) -> Result<(), Duration> {
        let now = self.now();
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner).reserve(budgets, now)
    }

    async fn give_back(&self, budgets: &[Budget]) {
        let full_at = &mut self.budgets.lock().unwrap_or_else(PoisonError::into_inner).full_at;
        for budget in budgets {
            if let Some(full_at) = full_at.get_mut(&budget.key) {
                *full_at = full_at.saturating_sub(budget.rate.interval());
            }
        }
    }

    async fn refill(&self, budgets: &[BudgetKey]) {
        let full_at = &mut self.budgets.lock().unwrap_or_else(PoisonError::into_inner).full_at;
        for key in budgets {
            full_at.remove(key);
        }
    }
}

impl Budgets {
    fn reserve(&mut self, budgets: &[Budget], now: Duration) -> Result<(), Duration> {
        let judge = |budget: &Budget| {
            let full_at = self.full_at.get(&budget.key).copied().unwrap_or_default();
            budget.rate.admit(full_at, now).map(|next| (budget.key, next))
        };
        let judged: Vec<_> = budgets.iter().map(judge).collect();
        // Whoever is to wait for several waits for the slowest.
        if let Some(wait) = judged.iter().filter_map(|judgement| judgement.as_ref().err().copied()).max() {
            return Err(wait);
        }
        self.make_room(budgets, now)?;
        self.full_at.extend(judged.into_iter().flatten());
        Ok(())
    }

    /// Forgets full budgets from time to time. While there is no room, nobody new is admitted.
    fn make_room(&mut self, budgets: &[Budget], now: Duration) -> Result<(), Duration> {
        if self.full_at.len() >= self.sweep_at {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.sweep_at = (2 * self.full_at.len()).clamp(FIRST_SWEEP, MOST_BUDGETS);
        }
        let is_new = |budget: &Budget| !self.full_at.contains_key(&budget.key);
        if self.full_at.len() >= MOST_BUDGETS && budgets.iter().any(is_new) {
            return Err(Duration::from_secs(1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Pseudonym, Rate};

    fn budget(number: u128) -> Budget {
        let key = BudgetKey { kind: "test", owner: Pseudonym(number.to_be_bytes()) };
        Budget { key, rate: Rate { count: std::num::NonZeroU32::MIN, period: Duration::from_mins(1) } }
    }

    #[test]
    fn full_budgets_are_forgotten_and_without_room_nobody_new_is_admitted() {
        let mut budgets = Budgets { full_at: HashMap::new(), sweep_at: FIRST_SWEEP };
        let now = Duration::from_hours(1);
        for number in 0..MOST_BUDGETS as u128 {
            budgets.reserve(&[budget(number)], now).unwrap();
        }
        assert_eq!(budgets.reserve(&[budget(u128::MAX)], now), Err(Duration::from_secs(1)));
        assert_eq!(budgets.reserve(&[budget(0)], now), Err(Duration::from_mins(1)), "still counted");
        let later = now + Duration::from_mins(1);
        budgets.reserve(&[budget(u128::MAX)], later).unwrap();
        assert_eq!(budgets.full_at.len(), 1);
    }
}
