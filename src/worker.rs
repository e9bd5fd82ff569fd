//! The mail worker: sends what is announced on the dispatch list, and sweeps up what the list has lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::{MailId, Rate};
use crate::services::Mailing;

/// How long mails on their way are waited for at the end before they are handed back.
const GRACE: Duration = Duration::from_secs(10);
/// How long handing back may take.
const HAND_BACK: Duration = Duration::from_secs(3);
/// How long the list is left alone after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// How mails are sent.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// How many at once.
    pub concurrency: usize,
    /// How many in a time, evenly spread; as many as can be when `None`.
    pub rate: Option<Rate>,
    /// How often the outbox is looked through.
    pub sweep: Duration,
}

/// Sends mails until `shutdown` is cancelled, and then until those on their way have arrived or been handed back.
pub async fn run(mailing: Arc<Mailing>, settings: WorkerSettings, shutdown: CancellationToken) {
    let worker = Worker {
        mailing,
        lanes: Arc::new(Semaphore::new(settings.concurrency)),
        pace: settings.rate.map(Rate::interval).unwrap_or_default(),
        next: Arc::new(Mutex::new(Instant::now())),
        tasks: TaskTracker::new(),
        hand_back: CancellationToken::new(),
    };
    tokio::select! {
        () = worker.follow_announcements() => {}
        () = worker.sweep(settings.sweep) => {}
        () = shutdown.cancelled() => {}
    }
    worker.finish().await;
}

struct Worker {
    mailing: Arc<Mailing>,
    lanes: Arc<Semaphore>,
    /// The time between two mails.
    pace: Duration,
    /// When the next mail may be sent. Held by whoever is about to find out whether there is one.
    next: Arc<Mutex<Instant>>,
    tasks: TaskTracker,
    hand_back: CancellationToken,
}

impl Worker {
    async fn follow_announcements(&self) {
        loop {
            let lane = self.free_lane().await;
            match self.mailing.next_announcement().await {
                Ok(id) => drop(self.deliver(Some(id), lane, self.turn().await).await),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the mail list does not answer; the sweep finds what is due"
                    );
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn sweep(&self, period: Duration) {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            loop {
                let lane = self.free_lane().await;
                if !self.deliver(None, lane, self.turn().await).await {
                    break;
                }
            }
        }
    }

    /// Claims a mail and sends it on a task of its own. `false` when none is due, or the outbox does not answer.
    async fn deliver(
        &self,
        id: Option<MailId>,
        lane: OwnedSemaphorePermit,
        mut turn: OwnedMutexGuard<Instant>,
    ) -> bool {
        // On a task of its own as well: a claim that is broken off would keep its lease.
        let (mailing, hand_back, pace) = (Arc::clone(&self.mailing), self.hand_back.clone(), self.pace);
        let (claimed, is_claimed) = tokio::sync::oneshot::channel();
        self.tasks.spawn(async move {
            let _lane = lane;
            let delivery = mailing.claim(id).await.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "the outbox does not answer");
                None
            });
            if delivery.is_some() {
                *turn = Instant::now() + pace;
            }
            drop(turn);
            // Nobody waits for this during a shutdown.
            let _ = claimed.send(delivery.is_some());
            if let Some(delivery) = delivery {
                mailing.deliver(delivery, &hand_back).await;
            }
        });
        is_claimed.await.unwrap_or(false)
    }

    /// Waits until another mail may be sent.
    async fn turn(&self) -> OwnedMutexGuard<Instant> {
        let next = Arc::clone(&self.next).lock_owned().await;
        sleep_until(*next).await;
        next
    }

    async fn free_lane(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.lanes).acquire_owned().await {
            Ok(lane) => lane,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    async fn finish(self) {
        self.tasks.close();
        if timeout(GRACE, self.tasks.wait()).await.is_err() {
            self.hand_back.cancel();
            // A database that hangs must not keep the process: then the leases run out by themselves.
            let _ = timeout(HAND_BACK, self.tasks.wait()).await;
        }
    }
}
