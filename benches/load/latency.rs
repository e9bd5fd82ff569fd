//! How long answers take while something else goes on.

use std::time::{Duration, Instant};

/// How often somebody asks.
const PAUSE: Duration = Duration::from_millis(20);

/// What half of the requests took at most, what 95 % did, and what 99 % did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latency {
    pub(super) p50: Duration,
    pub(super) p95: Duration,
    pub(super) p99: Duration,
}

/// Asks again and again for this long.
pub(super) async fn percentiles(time: Duration, ask: impl AsyncFn()) -> Latency {
    let (mut times, began) = (Vec::new(), Instant::now());
    while began.elapsed() < time {
        let asked = Instant::now();
        ask().await;
        times.push(asked.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Latency::of(times)
}

impl Latency {
    /// Of these times, which are not none.
    pub(super) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        Self { p50: at(50), p95: at(95), p99: at(99) }
    }
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let Self { p50, p95, p99 } = *self;
        write!(
            f,
            "p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms",
            milliseconds(p50),
            milliseconds(p95),
            milliseconds(p99)
        )
    }
}
