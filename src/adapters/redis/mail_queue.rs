//! The mail dispatch list that all instances share.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig};
use tokio::sync::{Mutex, Semaphore};
use uuid::Uuid;

use super::{Redis, unavailable};
use crate::domain::MailId;
use crate::ports::{MailQueue, Unexpected};

/// The list of ids, newest on the left.
const LIST: &str = "authql:mail";
/// How long the server holds a blocking command before it answers that there is nothing.
const BLOCK: Duration = Duration::from_secs(5);
/// The longest that the list grows. What falls off its end is found by the sweep.
const LONGEST: isize = 10_000;
/// How many announcements may be under way at once. What does not fit is found by the sweep.
const MAX_PUSHES: usize = 64;

/// [`MailQueue`] as a list.
pub struct RedisMailQueue {
    redis: Redis,
    pushes: Arc<Semaphore>,
    /// A connection of its own: a blocking command on a pooled one would hold up, and swallow, what comes after it.
    blocking: Mutex<Option<MultiplexedConnection>>,
}

impl RedisMailQueue {
    /// The list on this server.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        Self { redis, pushes: Arc::new(Semaphore::new(MAX_PUSHES)), blocking: Mutex::new(None) }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Unexpected> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_response_timeout(Some(BLOCK + Duration::from_secs(2)));
        self.redis.client.get_multiplexed_async_connection_with_config(&config).await.map_err(unavailable)
    }
}

#[async_trait]
impl MailQueue for RedisMailQueue {
    fn push(&self, id: MailId) {
        let Ok(permit) = Arc::clone(&self.pushes).try_acquire_owned() else { return };
        let redis = self.redis.clone();
        let mut push = redis::pipe();
        push.lpush(LIST, id.to_string()).ignore().ltrim(LIST, 0, LONGEST - 1).ignore();
        tokio::spawn(async move {
            if let Err(error) = redis.run::<()>(&push).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "Redis was not told of a mail; the sweep will find it"
                );
            }
            drop(permit);
        });
    }

    async fn pop(&self) -> Result<MailId, Unexpected> {
        let mut slot = self.blocking.lock().await;
        loop {
            // Out of its slot while a command is under way: a future that is dropped closes the connection with it, and
            // the server forgets the command.
            let mut connection = match slot.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let popped: Option<(String, String)> =
                connection.brpop(LIST, BLOCK.as_secs_f64()).await.map_err(unavailable)?;
            *slot = Some(connection);
            match popped.map(|(_, text)| text.parse::<Uuid>()) {
                Some(Ok(id)) => return Ok(id.into()),
                Some(Err(_)) => tracing::warn!("the mail list held something that is no id; it was dropped"),
                None => {}
            }
        }
    }
}
