//! Redis: an accelerator. Everything here may be slow, flushed or gone at any moment, and nothing is lost by it.

mod mail_queue;
mod rate_limiter;
mod revocations;

use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use bb8_redis::bb8::{Pool, RunError};
use redis::{Client, RedisError};

pub use mail_queue::RedisMailQueue;
pub use rate_limiter::RedisRateLimiter;
pub use revocations::RedisRevocations;

use crate::ports::Unexpected;

/// How long a command waits for a connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_millis(500);

/// `REDIS_URL` is not understood: a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("REDIS_URL is not understood ({0}): write redis://:password@host or rediss://:password@host")]
pub struct RedisUrlError(#[from] RedisError);

/// A client and a pool of its connections.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    pool: Pool<RedisConnectionManager>,
}

impl Redis {
    /// Connections to the server at `url`, made when they are first needed.
    ///
    /// # Errors
    /// [`RedisUrlError`].
    pub fn new(url: &str) -> Result<Self, RedisUrlError> {
        let pool = Pool::builder()
            .max_size(8)
            .connection_timeout(CONNECTION_TIMEOUT)
            .retry_connection(false)
            .build_unchecked(RedisConnectionManager::new(url)?);
        Ok(Self { client: Client::open(url)?, pool })
    }

    /// Runs commands on a pooled connection. A reply is waited for 500 ms (the library's default).
    async fn run<T: redis::FromRedisValue>(&self, commands: &redis::Pipeline) -> Result<T, Unexpected> {
        let mut connection = self.pool.get().await.map_err(|error| match error {
            RunError::User(error) => unavailable(error),
            RunError::TimedOut => Unexpected::unavailable("Redis", "no connection within 500 ms"),
        })?;
        commands.query_async(&mut *connection).await.map_err(unavailable)
    }
}

fn unavailable(error: RedisError) -> Unexpected {
    Unexpected::unavailable("Redis", error)
}
