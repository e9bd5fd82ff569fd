//! The revocations of a single instance: it need only tell itself.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{self, Receiver};
use tokio::time::timeout;

use crate::domain::SessionId;
use crate::ports::{News, Revocations, Subscription, Unexpected};

/// How many announcements may wait for a listener.
const CAPACITY: usize = 1024;
/// How often a listener is told that there is nothing to tell.
const PERIOD: Duration = Duration::from_millis(250);

/// [`Revocations`] as a channel.
pub struct LocalRevocations(broadcast::Sender<Vec<SessionId>>);

impl Default for LocalRevocations {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

#[async_trait]
impl Revocations for LocalRevocations {
    async fn announce(&self, sessions: &[SessionId], _: TimeDelta) -> Result<(), Unexpected> {
        // Without a listener there is nobody to tell.
        let _ = self.0.send(sessions.to_vec());
        Ok(())
    }

    async fn subscribe(&self) -> Result<Box<dyn Subscription>, Unexpected> {
        Ok(Box::new(LocalSubscription(self.0.subscribe())))
    }
}

struct LocalSubscription(Receiver<Vec<SessionId>>);

#[async_trait]
impl Subscription for LocalSubscription {
    async fn next(&mut self) -> Result<News, Unexpected> {
        let lagged = |error| Unexpected::unavailable("the list of revocations", error);
        let mut ended = match timeout(PERIOD, self.0.recv()).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(error @ (RecvError::Lagged(_) | RecvError::Closed))) => {
                return Err(lagged(error.to_string()));
            }
            Err(_) => Vec::new(),
        };
        let asked = Instant::now();
        loop {
            match self.0.try_recv() {
                Ok(more) => ended.extend(more),
                Err(TryRecvError::Empty) => return Ok(News { ended, complete_as_of: Some(asked) }),
                Err(error) => return Err(lagged(error.to_string())),
            }
        }
    }
}
