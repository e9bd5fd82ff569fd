//! Forgetting in Postgres, a limited number of rows at a time.

use async_trait::async_trait;
use sqlx::PgPool;
use uuid::Uuid;

use super::unexpected;
use crate::domain::EventId;
use crate::ports::{Archive, Purged, Retention, Unexpected};

/// How many rows of a kind are purged at once: the work of a fraction of a second.
const BATCH: i64 = 1000;

/// [`Archive`] on all tables that grow.
pub struct PgArchive(pub(super) PgPool);

#[async_trait]
impl Archive for PgArchive {
    async fn purge(&self, retention: Retention) -> Result<Purged, Unexpected> {
        // Rows that another instance is purging at this moment are skipped, and left to it.
        let recipients = sqlx::query!(
            "UPDATE outbox
             SET recipient = '', recipient_canonical = NULL, recipient_name = NULL, requester = NULL,
                 last_error = CASE state WHEN 'suppressed' THEN last_error END
             WHERE id IN (
                 SELECT id
                 FROM outbox
                 WHERE settled_at < $1 AND recipient <> ''
                 ORDER BY settled_at
                 LIMIT $2
                 FOR UPDATE SKIP LOCKED
             )",
            retention.recipients,
            BATCH,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        let mails = sqlx::query!(
            "DELETE FROM outbox
             WHERE id IN (
                 SELECT id FROM outbox WHERE settled_at < $1 ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED
             )",
            retention.mails,
            BATCH,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        let sessions = sqlx::query!(
            "DELETE FROM sessions
             WHERE id IN (
                 SELECT id
                 FROM sessions
                 WHERE end_recorded_at < $1 OR absolute_expires_at < $1
                 LIMIT $2
                 FOR UPDATE SKIP LOCKED
             )",
            retention.sessions,
            BATCH,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        let mail_tokens = sqlx::query!(
            "DELETE FROM mail_tokens
             WHERE id IN (
                 SELECT id FROM mail_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
             )",
            retention.mail_tokens,
            BATCH,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        let password_failures = sqlx::query!(
            "DELETE FROM password_failures
             WHERE account IN (
                 SELECT account
                 FROM password_failures
                 WHERE last_failed_at < $1
                 ORDER BY last_failed_at
                 LIMIT $2
                 FOR UPDATE SKIP LOCKED
             )",
            retention.password_failures,
            BATCH,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        // Found by their ids, whose order is that of time.
        let events = sqlx::query!(
            "DELETE FROM security_events
             WHERE id IN (
                 SELECT id FROM security_events WHERE id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
             )",
            Uuid::from(EventId::earliest(retention.events)),
            BATCH,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(Purged {
            recipients: recipients.rows_affected(),
            mails: mails.rows_affected(),
            sessions: sessions.rows_affected(),
            mail_tokens: mail_tokens.rows_affected(),
            events: events.rows_affected(),
            password_failures: password_failures.rows_affected(),
        })
    }
}
