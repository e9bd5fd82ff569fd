//! Owed mails in Postgres.

use std::error::Error;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::users::{address, language, person_name};
use super::{corrupt, unexpected};
use crate::domain::{GIVE_UP_AFTER, Mail, MailId, MailKind, MailTokenDigest, PresentedMailToken};
use crate::ports::{ClaimedMail, MailOutcome, Outbox, StoredMailToken, Unexpected};

/// How often a mail may be claimed. Forty tries fit into the two days after which a mail is given up; more than this are of
/// workers that died of it.
const MAX_CLAIMS: i32 = 100;

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
            match row.read(now) {
                Ok(Some(claim)) => return Ok(Some(claim)),
                Ok(None) => {
                    tracing::warn!(mail.id = %row.id, kind = row.kind, "a mail of a kind that is unknown here was left");
                }
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
            MailOutcome::RetryAt(at, error) => ("pending", *at, Some(error.as_str()), None, 0),
            MailOutcome::Dead(error) => ("dead", now, Some(error.as_str()), Some(now), 0),
            MailOutcome::Suppressed(reason) => ("suppressed", now, Some(*reason), Some(now), 0),
            MailOutcome::HandedBack => ("pending", now, None, None, 1),
        };
        // What belongs to no account is forgotten as soon as it is settled: its owner has deleted theirs.
        sqlx::query!(
            "UPDATE outbox
             SET state = $3, due_at = $4, settled_at = $6::timestamptz, attempts = attempts - $7,
                 last_error = CASE WHEN user_id IS NULL AND $6::timestamptz IS NOT NULL THEN NULL ELSE COALESCE($5, last_error) END,
                 recipient = CASE WHEN user_id IS NULL AND $6::timestamptz IS NOT NULL THEN '' ELSE recipient END,
                 recipient_name = CASE WHEN user_id IS NULL AND $6::timestamptz IS NOT NULL THEN NULL ELSE recipient_name END
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
            r#"WITH claimed AS (
                 UPDATE outbox
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
                 RETURNING id, kind, recipient, recipient_name, locale, queued_at, attempts
             )
             SELECT claimed.id, kind, recipient, recipient_name, locale, queued_at, attempts, digest AS "digest?",
                 COALESCE(consumed_at IS NULL AND expires_at > $2, false) AS "is_token_live!"
             FROM claimed
             LEFT JOIN mail_tokens ON mail_tokens.id = claimed.id"#,
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
    digest: Option<Vec<u8>>,
    is_token_live: bool,
}

impl ClaimedRow {
    /// The mail; `None` for one of a newer version of this program, which will find it when the lease is over. Fails for good
    /// where nobody will ever send it.
    fn read(&self, now: DateTime<Utc>) -> Result<Option<ClaimedMail>, Unexpected> {
        if self.attempts > MAX_CLAIMS {
            return Err(corrupt("each worker that claimed it died"));
        }
        let Some(kind) = MailKind::parse(&self.kind) else {
            return if now - self.queued_at < GIVE_UP_AFTER {
                Ok(None)
            } else {
                Err(corrupt("an unknown kind"))
            };
        };
        let mail = Mail {
            id: self.id.into(),
            kind,
            to: address(&self.recipient)?,
            name: person_name(self.recipient_name.clone())?,
            locale: language(&self.locale)?,
            queued_at: self.queued_at,
            token: None,
        };
        let token = self.digest.as_deref().zip(kind.purpose()).map(|(digest, purpose)| {
            let digest = digest.try_into().map_err(|_| corrupt("a digest"))?;
            let token = PresentedMailToken { id: mail.id, purpose, digest: MailTokenDigest(digest) };
            Ok(StoredMailToken { token, is_live: self.is_token_live })
        });
        Ok(Some(ClaimedMail { mail, token: token.transpose()?, attempt: self.attempts.unsigned_abs() }))
    }
}
