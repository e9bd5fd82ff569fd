//! The contract of `RateLimiter`, which each of its adapters keeps.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use authql::adapters::local::LocalRateLimiter;
use authql::adapters::redis::{Redis, RedisRateLimiter};
use authql::domain::{Pseudonym, Rate};
use authql::ports::{Budget, BudgetKey, RateLimiter};
use futures_util::future::join_all;

use crate::support::{TestClock, TestRedis};

fn budget(owner: u8, count: u32) -> Budget {
    let rate = Rate { count: NonZeroU32::new(count).unwrap(), period: Duration::from_mins(10) };
    Budget { key: BudgetKey { kind: "test", owner: Pseudonym([owner; 16]) }, rate }
}

async fn keeps_the_contract(limiter: &dyn RateLimiter) {
    // Of any number of parallel attempts, as many are admitted as the budget holds.
    let answers = join_all((0..100).map(|_| async { limiter.reserve(&[budget(1, 6)]).await })).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 6);
    for wait in answers.into_iter().filter_map(Result::err) {
        assert!((Duration::from_secs(70)..=Duration::from_secs(100)).contains(&wait), "{wait:?}");
    }

    // All or nothing, and whoever waits for several waits for the slowest.
    limiter.reserve(&[budget(2, 1)]).await.unwrap();
    for budgets in [[budget(3, 1), budget(2, 1)], [budget(1, 6), budget(2, 1)]] {
        let wait = limiter.reserve(&budgets).await.unwrap_err();
        assert!((Duration::from_secs(570)..=Duration::from_mins(10)).contains(&wait), "{wait:?}");
    }
    limiter.reserve(&[budget(3, 1)]).await.unwrap();

    // One attempt back, and all of them.
    limiter.give_back(&[budget(1, 6), budget(4, 6)]).await;
    limiter.reserve(&[budget(1, 6)]).await.unwrap();
    limiter.reserve(&[budget(1, 6)]).await.unwrap_err();
    limiter.refill(&[budget(1, 6).key, budget(4, 6).key]).await;
    for _ in 0..6 {
        limiter.reserve(&[budget(1, 6)]).await.unwrap();
    }
    limiter.reserve(&[budget(1, 6)]).await.unwrap_err();
    limiter.reserve(&[]).await.unwrap();
}

#[tokio::test]
async fn in_the_process() {
    keeps_the_contract(&LocalRateLimiter::new(Arc::new(TestClock::new()))).await;
}

#[tokio::test]
async fn in_redis() {
    let Some(server) = TestRedis::start() else { return };
    let limiter = || {
        let local = LocalRateLimiter::new(Arc::new(TestClock::new()));
        RedisRateLimiter::new(Redis::new(&server.url()).unwrap(), local)
    };
    keeps_the_contract(&limiter()).await;
    limiter().reserve(&[budget(1, 6)]).await.expect_err("another instance counts on");
    let left: i64 = server.command(&format!("PTTL authql:limit:test:{}", Pseudonym([1; 16]))).await;
    assert!((500_000..=600_000).contains(&left), "a budget is kept until it is full: {left} ms");
}

#[tokio::test]
async fn in_the_process_while_redis_is_gone() {
    let Some(mut server) = TestRedis::start() else { return };
    let local = LocalRateLimiter::new(Arc::new(TestClock::new()));
    let limiter = RedisRateLimiter::new(Redis::new(&server.url()).unwrap(), local);
    server.kill();
    keeps_the_contract(&limiter).await;
}
