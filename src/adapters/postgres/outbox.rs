//! Owed mails in Postgres.

use std::error::Error;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::unexpected;
use super::users::{address, language, person_name};
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
        loop {
            let Some(row) = self.take(id, lease, now).await? else { return Ok(None) };
            let Some(kind) = MailKind::parse(&row.kind) else {
                // Of a newer version of this program, which will find it when the lease is over.
                tracing::warn!(mail.id = %row.id, kind = row.kind, "a mail of a kind that is unknown here was left");
                continue;
            };
            match row.read(kind) {
                Ok(claim) => return Ok(Some(claim)),
                Err(error) => {
                    tracing::error!(mail.id = %row.id, error = &error as &dyn std::error::Error, "a mail was given up");
                    self.bury(&row, &error, now).await?;
                }
            }
        }
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

impl PgOutbox {
    async fn take(
        &self,
        id: Option<MailId>,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<ClaimedRow>, Unexpected> {
        // Workers skip what another one is claiming at this moment instead of waiting for it. A mail that was announced and
        // never tried is due, even if the clock of the instance that queued it is ahead of ours.
        sqlx::query_as!(
            ClaimedRow,
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
        .map_err(unexpected)
    }

    /// Ends a mail whose row cannot be read.
    async fn bury(&self, row: &ClaimedRow, error: &Unexpected, now: DateTime<Utc>) -> Result<(), Unexpected> {
        let reason = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
        sqlx::query!(
            "UPDATE outbox
             SET state = 'dead', settled_at = $2, last_error = $3
             WHERE id = $1 AND state = 'pending'",
            row.id,
            now,
            reason,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(())
    }
}

struct ClaimedRow {
    id: Uuid,
    kind: String,
    recipient: String,
    recipient_name: Option<String>,
    locale: String,
    queued_at: DateTime<Utc>,
    attempts: i32,
}

impl ClaimedRow {
    fn read(&self, kind: MailKind) -> Result<ClaimedMail, Unexpected> {
        let mail = Mail {
            id: self.id.into(),
            kind,
            to: address(&self.recipient)?,
            name: person_name(self.recipient_name.clone())?,
            locale: language(&self.locale)?,
            queued_at: self.queued_at,
            token: None,
        };
        Ok(ClaimedMail { mail, attempt: self.attempts.unsigned_abs() })
    }
}
