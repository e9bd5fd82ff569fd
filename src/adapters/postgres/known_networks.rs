//! The networks that accounts were used from, in Postgres.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::unexpected;
use crate::domain::{ClientNetwork, EmailAddress};
use crate::ports::{KnownNetworks, Unexpected};

/// How old a session has to be: whoever guessed a password today is not known tomorrow's attacks apart.
const AGE: TimeDelta = TimeDelta::days(1);

/// [`KnownNetworks`] in the table `sessions`.
pub struct PgKnownNetworks(pub(super) PgPool);

#[async_trait]
impl KnownNetworks for PgKnownNetworks {
    async fn was_used_from(
        &self,
        email: &EmailAddress,
        network: ClientNetwork,
        now: DateTime<Utc>,
    ) -> Result<bool, Unexpected> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (
                 SELECT
                 FROM sessions
                 JOIN users ON users.id = sessions.user_id
                 WHERE email_canonical = $1
                     AND signed_in_from::inet <<= $2::text::inet
                     AND sessions.created_at <= $3
                     AND (ended_at IS NULL OR end_reason = 'logout')
             ) AS "is_known!""#,
            email.canonical(),
            network.to_string(),
            now - AGE,
        )
        .fetch_one(&self.0)
        .await
        .map_err(unexpected)
    }
}
