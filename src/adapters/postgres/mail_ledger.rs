//! What has become of mails, in Postgres.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::{corrupt, unexpected};
use crate::domain::{MailId, MailKind, MailRecord, MailState};
use crate::ports::{MailLedger, Unexpected};

/// [`MailLedger`] in the table `outbox`.
pub struct PgMailLedger(pub(super) PgPool);

#[async_trait]
impl MailLedger for PgMailLedger {
    async fn list(&self, state: Option<MailState>, count: u32) -> Result<Vec<MailRecord>, Unexpected> {
        let rows = sqlx::query_as!(
            Row,
            "SELECT id, kind, recipient, state, attempts, queued_at, due_at, settled_at, last_error
             FROM outbox
             WHERE $1::text IS NULL OR state = $1
             ORDER BY id DESC
             LIMIT $2",
            state.map(MailState::as_str),
            i64::from(count),
        )
        .fetch_all(&self.0)
        .await
        .map_err(unexpected)?;
        rows.into_iter().map(MailRecord::try_from).collect()
    }

    async fn find(&self, id: MailId) -> Result<Option<MailRecord>, Unexpected> {
        let row = sqlx::query_as!(
            Row,
            "SELECT id, kind, recipient, state, attempts, queued_at, due_at, settled_at, last_error
             FROM outbox
             WHERE id = $1",
            Uuid::from(id),
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        row.map(MailRecord::try_from).transpose()
    }

    async fn retry(&self, id: Option<MailId>, now: DateTime<Utc>) -> Result<u64, Unexpected> {
        // The count of attempts goes on: it is the fence against workers that are late.
        let linked: Vec<&str> =
            MailKind::ALL.into_iter().filter(|kind| kind.purpose().is_some()).map(MailKind::as_str).collect();
        let changed = sqlx::query!(
            "UPDATE outbox
             SET state = 'pending', due_at = $2, settled_at = NULL
             WHERE state = 'dead' AND ($1::uuid IS NULL OR id = $1) AND recipient <> ''
                 AND (kind <> ALL($3) OR EXISTS (
                     SELECT 1
                     FROM mail_tokens
                     WHERE mail_tokens.id = outbox.id AND consumed_at IS NULL AND expires_at > $2
                 ))",
            id.map(Uuid::from),
            now,
            &linked as &[&str],
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(changed.rows_affected())
    }

    async fn suppress(&self, id: MailId, reason: &str, now: DateTime<Utc>) -> Result<bool, Unexpected> {
        // As when a worker settles one: what belongs to no account is forgotten at once.
        let dropped = sqlx::query!(
            "UPDATE outbox
             SET state = 'suppressed', settled_at = $3, last_error = $2,
                 recipient = CASE WHEN user_id IS NULL THEN '' ELSE recipient END,
                 recipient_name = CASE WHEN user_id IS NULL THEN NULL ELSE recipient_name END
             WHERE id = $1 AND state = 'pending'",
            Uuid::from(id),
            reason,
            now,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(dropped.rows_affected() == 1)
    }
}

struct Row {
    id: Uuid,
    kind: String,
    recipient: String,
    state: String,
    attempts: i32,
    queued_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    settled_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

impl TryFrom<Row> for MailRecord {
    type Error = Unexpected;

    fn try_from(row: Row) -> Result<Self, Unexpected> {
        Ok(Self {
            id: row.id.into(),
            kind: row.kind,
            recipient: Some(row.recipient).filter(|address| !address.is_empty()),
            state: MailState::parse(&row.state).ok_or_else(|| corrupt("the state of a mail"))?,
            attempts: row.attempts.unsigned_abs(),
            queued_at: row.queued_at,
            due_at: row.due_at,
            settled_at: row.settled_at,
            reason: row.last_error,
        })
    }
}
