//! The blacklist that all instances share.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::Redis;
use crate::domain::SessionId;
use crate::ports::{Blacklist, Unexpected};

/// [`Blacklist`] as one expiring key a session.
pub struct RedisBlacklist(pub Redis);

#[async_trait]
impl Blacklist for RedisBlacklist {
    async fn add(&self, sessions: &[SessionId], ttl: TimeDelta) -> Result<(), Unexpected> {
        let mut commands = redis::pipe();
        for session in sessions {
            commands.set_ex(key(*session), 1, ttl.num_seconds().max(1).unsigned_abs()).ignore();
        }
        self.0.run(&commands).await
    }

    async fn contains(&self, session: SessionId) -> Result<bool, Unexpected> {
        let (listed,) = self.0.run(redis::pipe().exists(key(session))).await?;
        Ok(listed)
    }
}

fn key(session: SessionId) -> String {
    format!("authql:ended:{session}")
}
