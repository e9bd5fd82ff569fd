//! What goes on beside the requests for as long as the server runs, whatever happens to it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::sleep;

/// How long after a panic it begins again, so that one that comes back at once is no storm.
const PAUSE: Duration = Duration::from_secs(1);

/// Does `work` until it ends by itself. A panic, which has its line in the log, only makes it begin again: without the signing
/// keys being followed, for one, a retired key would be good until the next restart.
pub(super) async fn keep_doing<F>(what: &'static str, work: impl Fn() -> F)
where
    F: Future<Output = ()>,
{
    // What is shared with the request threads is behind locks that a panic leaves as they are.
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        tracing::error!(what, "begins again after a panic");
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_not_the_end() {
        let turns = AtomicU32::new(0);
        keep_doing("counting", async || {
            let turn = turns.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            assert!(turn == 1, "not yet");
        })
        .await;
        assert_eq!(turns.into_inner(), 2);
    }
}
