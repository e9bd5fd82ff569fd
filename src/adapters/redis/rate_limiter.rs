//! The rate limits that all instances share, and each one's own while Redis does not answer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::Redis;
use crate::adapters::local::LocalRateLimiter;
use crate::ports::{Budget, BudgetKey, RateLimiter, Unexpected};

/// [`Rate::admit`](crate::domain::Rate::admit) over all budgets of an attempt: counted against each of them, or against
/// none. By the server's own clock, so that those of the instances may differ; in microseconds, which Lua's numbers hold
/// exactly. Each budget is one key that is gone when it is full again.
const RESERVE: &str = "
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local next, wait = {}, 0
    for i, key in ipairs(KEYS) do
        local interval, period = ARGV[2 * i - 1], ARGV[2 * i]
        next[i] = math.max(tonumber(redis.call('GET', key) or 0), now) + interval
        wait = math.max(wait, next[i] - (now + period))
    end
    if wait > 0 then return math.ceil(wait) end
    for i, key in ipairs(KEYS) do
        redis.call('SET', key, string.format('%.0f', next[i]), 'PX', math.ceil((next[i] - now) / 1000))
    end
    return 0
";

/// Takes an attempt back.
const GIVE_BACK: &str = "
    for i, key in ipairs(KEYS) do
        local full_at = redis.call('GET', key)
        if full_at then redis.call('SET', key, string.format('%.0f', full_at - ARGV[i]), 'KEEPTTL') end
    end
";

/// How long Redis is left alone once it has not answered.
const PAUSE: Duration = Duration::from_secs(1);

/// [`RateLimiter`] as one script.
pub struct RedisRateLimiter {
    redis: Redis,
    local: LocalRateLimiter,
    /// Until when Redis is left alone; `None` while it answers.
    paused_until: Mutex<Option<Instant>>,
}

impl RedisRateLimiter {
    /// The limits on this server; those of `local` while it does not answer.
    #[must_use]
    pub fn new(redis: Redis, local: LocalRateLimiter) -> Self {
        Self { redis, local, paused_until: Mutex::new(None) }
    }

    async fn reserve_shared(&self, budgets: &[Budget]) -> Result<Result<(), Duration>, Unexpected> {
        let mut script = redis::cmd("EVAL");
        script.arg(RESERVE).arg(budgets.len());
        script.arg(budgets.iter().map(|budget| name(&budget.key)).collect::<Vec<_>>());
        for budget in budgets {
            script.arg(micros(budget.rate.interval())).arg(micros(budget.rate.period));
        }
        let (wait,): (u64,) = self.redis.run(redis::pipe().add_command(script)).await?;
        Ok(if wait == 0 { Ok(()) } else { Err(Duration::from_micros(wait)) })
    }

    /// Whether Redis is to be asked. While it does not answer, one caller a second finds out whether it does again, and all
    /// others go on without it.
    fn is_its_turn(&self) -> bool {
        let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match *paused_until {
            Some(until) if now < until => false,
            Some(_) => {
                *paused_until = Some(now + PAUSE);
                true
            }
            None => true,
        }
    }

    /// Notes whether Redis has answered.
    fn note<T>(&self, answer: Result<T, Unexpected>) -> Option<T> {
        let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(answer) => {
                if paused_until.take().is_some() {
                    tracing::info!("Redis answers again; rate limits are shared by all instances");
                }
                Some(answer)
            }
            Err(error) => {
                if paused_until.replace(Instant::now() + PAUSE).is_none() {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "Redis does not answer; each instance counts attempts for itself"
                    );
                }
                None
            }
        }
    }
}

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    async fn reserve(&self, budgets: &[Budget]) -> Result<(), Duration> {
        if budgets.is_empty() {
            return Ok(());
        }
        if self.is_its_turn()
            && let Some(outcome) = self.note(self.reserve_shared(budgets).await)
        {
            return outcome;
        }
        self.local.reserve(budgets).await
    }

    async fn give_back(&self, budgets: &[Budget]) {
        self.local.give_back(budgets).await;
        if budgets.is_empty() || !self.is_its_turn() {
            return;
        }
        let mut script = redis::cmd("EVAL");
        script.arg(GIVE_BACK).arg(budgets.len());
        script.arg(budgets.iter().map(|budget| name(&budget.key)).collect::<Vec<_>>());
        script.arg(budgets.iter().map(|budget| micros(budget.rate.interval())).collect::<Vec<_>>());
        self.note(self.redis.run::<()>(redis::pipe().add_command(script).ignore()).await);
    }

    async fn refill(&self, budgets: &[BudgetKey]) {
        self.local.refill(budgets).await;
        if budgets.is_empty() || !self.is_its_turn() {
            return;
        }
        let names: Vec<String> = budgets.iter().map(name).collect();
        self.note(self.redis.run::<()>(redis::pipe().del(names).ignore()).await);
    }
}

fn name(key: &BudgetKey) -> String {
    format!("authql:limit:{}:{}", key.kind, key.owner)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
