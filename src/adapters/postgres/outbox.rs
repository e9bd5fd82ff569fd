//! Owed mails in Postgres.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::users::{address, language, person_name};
use super::{corrupt, unexpected};
use crate::domain::{Mail, MailId, MailKind};
use crate::ports::{ClaimedMail, MailOutcome, Outbox, Unexpected};

/// [`Outbox`] in the table `outbox`.
pub struct PgOutbox(pub(super) PgPool);

#[async_trait]
impl Outbox for PgOutbox {
    async fn claim(
        &self,
        id: Option<MailId>,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<ClaimedMail>, Unexpected> {
        // Workers skip what another one is claiming at this moment instead of waiting for it. A mail that was announced and
        // never tried is due, even if the clock of the instance that queued it is ahead of ours.
        let row = sqlx::query!(
            "UPDATE outbox
             SET attempts = attempts + 1, due_at = $3
             WHERE id = (
                 SELECT id
                 FROM outbox
                 WHERE state = 'pending'
                     AND ($1::uuid IS NULL OR id = $1)
                     AND (due_at <= $2 OR (id = $1 AND attempts = 0))
                 ORDER BY due_at
                 LIMIT 1
                 FOR UPDATE SKIP LOCKED
             )
             RETURNING id, kind, recipient, recipient_name, locale, queued_at, attempts",
            id.map(Uuid::from),
            now,
            now + lease,
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        let Some(row) = row else { return Ok(None) };
        let mail = Mail {
            id: row.id.into(),
            kind: MailKind::parse(&row.kind).ok_or_else(|| corrupt("the kind of a mail"))?,
            to: address(&row.recipient)?,
            name: person_name(row.recipient_name)?,
            locale: language(&row.locale)?,
            queued_at: row.queued_at,
        };
        Ok(Some(ClaimedMail { mail, attempt: row.attempts.unsigned_abs() }))
    }

    async fn settle(
        &self,
        claim: &ClaimedMail,
        outcome: &MailOutcome,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected> {
        let (state, due_at, error, settled_at, uncounted) = match outcome {
            MailOutcome::Sent => ("sent", now, None, Some(now), 0),
            MailOutcome::RetryAt(at, error) => ("pending", *at, Some(error), None, 0),
            MailOutcome::Dead(error) => ("dead", now, Some(error), Some(now), 0),
            MailOutcome::HandedBack => ("pending", now, None, None, 1),
        };
        sqlx::query!(
            "UPDATE outbox
             SET state = $3, due_at = $4, last_error = COALESCE($5, last_error), settled_at = $6,
                 attempts = attempts - $7
             WHERE id = $1 AND attempts = $2 AND state = 'pending'",
            Uuid::from(claim.mail.id),
            i32::try_from(claim.attempt).unwrap_or(i32::MAX),
            state,
            due_at,
            error,
            settled_at,
            uncounted,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(())
    }
}
