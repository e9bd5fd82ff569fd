//! Failed passwords in Postgres.
//!
//! The statements give up waiting for the disk: what a crash of the server takes back of the last half second are counts of
//! attempts, and a login is not to be slower for them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::unexpected;
use crate::domain::Pseudonym;
use crate::ports::{PasswordFailures, Unexpected};

/// [`PasswordFailures`] in the table `password_failures`.
pub struct PgPasswordFailures(pub(super) PgPool);

#[async_trait]
impl PasswordFailures for PgPasswordFailures {
    async fn reserve(&self, account: Pseudonym, most: i32, now: DateTime<Utc>) -> Result<bool, Unexpected> {
        let counted = sqlx::query!(
            "WITH asynchronously AS (SELECT set_config('synchronous_commit', 'off', true))
             INSERT INTO password_failures (account, failures, last_failed_at)
             SELECT $1, 1, $3
             FROM asynchronously
             ON CONFLICT ON CONSTRAINT password_failures_pkey DO UPDATE
             SET failures = password_failures.failures + 1, last_failed_at = excluded.last_failed_at
             WHERE password_failures.failures < $2",
            account.0.as_slice(),
            most,
            now,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(counted.rows_affected() == 1)
    }

    async fn give_back(&self, account: Pseudonym) -> Result<(), Unexpected> {
        // The last one leaves no row behind.
        sqlx::query!(
            "WITH asynchronously AS (SELECT set_config('synchronous_commit', 'off', true)),
             taken_back AS (
                 UPDATE password_failures
                 SET failures = failures - 1
                 FROM asynchronously
                 WHERE account = $1 AND failures > 1
                 RETURNING account
             )
             DELETE FROM password_failures
             WHERE account = $1 AND failures = 1 AND NOT EXISTS (SELECT FROM taken_back)",
            account.0.as_slice(),
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(())
    }

    async fn forget(&self, account: Pseudonym) -> Result<(), Unexpected> {
        sqlx::query!(
            "WITH asynchronously AS (SELECT set_config('synchronous_commit', 'off', true))
             DELETE FROM password_failures
             USING asynchronously
             WHERE account = $1",
            account.0.as_slice(),
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(())
    }
}
