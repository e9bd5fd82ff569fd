//! The blacklist that all instances share: a channel on which they tell each other at once, and an expiring key for each
//! session that has ended, which other services can look up too.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::{FutureExt, StreamExt};
use redis::Msg;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use super::{Redis, unavailable};
use crate::domain::SessionId;
use crate::ports::{News, Revocations, Subscription, Unexpected};

/// Where ended sessions are told, as their ids with spaces between.
const CHANNEL: &str = "authql:ended";
/// How often a listener makes sure that it would hear.
const PERIOD: Duration = Duration::from_millis(250);
/// How long the server may take to show that it is there.
const PATIENCE: Duration = Duration::from_millis(500);

/// [`Revocations`] as keys and pub/sub.
pub struct RedisRevocations(pub Redis);

#[async_trait]
impl Revocations for RedisRevocations {
    async fn announce(&self, sessions: &[SessionId], ttl: TimeDelta) -> Result<(), Unexpected> {
        let seconds = ttl.num_seconds().max(1).unsigned_abs();
        let ids: Vec<String> = sessions.iter().map(SessionId::to_string).collect();
        // Told first: a server that is full takes no keys, and still tells.
        let mut commands = redis::pipe();
        commands.publish(CHANNEL, ids.join(" ")).ignore();
        for id in &ids {
            commands.set_ex(format!("{CHANNEL}:{id}"), 1, seconds).ignore();
        }
        self.0.run(&commands).await
    }

    async fn subscribe(&self) -> Result<Box<dyn Subscription>, Unexpected> {
        let connect = async {
            let (mut sink, stream) = self.0.client.get_async_pubsub().await.map_err(unavailable)?.split();
            sink.subscribe(CHANNEL).await.map_err(unavailable)?;
            Ok((sink, stream))
        };
        let (sink, stream) = timeout(2 * PATIENCE, connect).await.map_err(no_answer)??;
        let mut pings = interval(PERIOD);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Box::new(RedisSubscription { sink, stream, pings }))
    }
}

struct RedisSubscription {
    sink: PubSubSink,
    stream: PubSubStream,
    pings: Interval,
}

#[async_trait]
impl Subscription for RedisSubscription {
    async fn next(&mut self) -> Result<News, Unexpected> {
        let message = tokio::select! {
            message = self.stream.next() => Some(message.ok_or_else(|| no_answer("the connection was closed"))?),
            _ = self.pings.tick() => None,
        };
        if let Some(message) = message {
            return Ok(News { ended: ids(&message), complete_as_of: None });
        }
        // The reply comes after everything that was announced before the question.
        let asked = Instant::now();
        timeout(PATIENCE, self.sink.ping::<redis::Value>()).await.map_err(no_answer)?.map_err(unavailable)?;
        let mut ended = Vec::new();
        while let Some(Some(message)) = self.stream.next().now_or_never() {
            ended.extend(ids(&message));
        }
        Ok(News { ended, complete_as_of: Some(asked) })
    }
}

/// The sessions that a message names. What is no id is no announcement of ours.
fn ids(message: &Msg) -> Vec<SessionId> {
    let text: String = message.get_payload().unwrap_or_default();
    text.split(' ').filter_map(|id| id.parse::<Uuid>().ok()).map(SessionId::from).collect()
}

fn no_answer(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unexpected {
    Unexpected::unavailable("Redis", cause)
}
