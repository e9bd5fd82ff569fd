//! What an account's owner changes about it, in Postgres.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::again::again;
use super::mailing::{NewMail, lock_mailbox};
use super::users::{PgUsers, UserRow, address};
use super::{breaks, events, mail_tokens, session_endings, unexpected};
use crate::domain::{
    Caller, EmailAddress, EventId, EventKind, Locale, MailId, MailKind, MailTokenPurpose, PasswordVersion,
    PersonName, PresentedMailToken, RequestId, SessionEnd, SessionId, UserId, Viewer,
};
use crate::ports::{
    AccountChanges, Confirmed, EndedBatch, ProfileChange, Registered, TokenMail, Unexpected, UpdatedProfile,
    Users,
};

/// [`AccountChanges`] in the table `users` and those that follow it.
pub struct PgAccountChanges(pub(super) PgPool);

#[async_trait]
impl AccountChanges for PgAccountChanges {
    async fn change_password(
        &self,
        (id, version): (UserId, PasswordVersion),
        password_hash: &str,
        current: SessionId,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected> {
        let id = Uuid::from(id);
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            let set = sqlx::query!(
                "UPDATE users
             SET password_hash = $3, password_version = password_version + 1
             WHERE id = $1 AND password_version = $2 AND disabled_at IS NULL",
                id,
                version.0,
                password_hash,
            )
            .execute(&mut *transaction)
            .await
            .map_err(unexpected)?;
            if set.rows_affected() != 1 {
                return Ok(None);
            }
            let reason = SessionEnd::PasswordChanged;
            let ended = session_endings::begin(&mut transaction, id, Some(current), reason, now).await?;
            mail_tokens::void(&mut transaction, id, &MailTokenPurpose::OF_WHO_HAS_THE_PASSWORD, now).await?;
            let kind = EventKind::PasswordChanged;
            events::leave(&mut transaction, kind, id, Some(current), caller, now).await?;
            NewMail::notice(MailKind::PasswordChanged, notice).queue(&mut transaction, id, None, now).await?;
            transaction.commit().await.map_err(unexpected)?;
            Ok(Some(ended))
        })
        .await
    }

    async fn request_email_change(
        &self,
        Viewer { user_id: owner, session_id }: Viewer,
        new: &EmailAddress,
        mail: TokenMail,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Registered, Unexpected> {
        let owner = Uuid::from(owner);
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            lock_mailbox(&mut transaction, new).await?;
            // Another spelling of one's own address is free.
            let other = sqlx::query!(
                "SELECT id, email
             FROM users
             WHERE email_canonical = $1 AND id <> $2",
                new.canonical(),
                owner,
            )
            .fetch_optional(&mut *transaction)
            .await
            .map_err(unexpected)?;
            let outcome = if let Some(other) = other {
                let told = NewMail::notice_instead(MailKind::AlreadyRegistered, mail);
                told.queue_sparingly(&mut transaction, Ok(other.id), &address(&other.email)?, now).await?;
                Registered::Taken
            } else {
                let asked = NewMail::with_token(MailKind::EmailChange, mail);
                asked.queue_sparingly(&mut transaction, Ok(owner), new, now).await?;
                Registered::New
            };
            NewMail::notice(MailKind::EmailChangeRequested, notice)
                .queue(&mut transaction, owner, None, now)
                .await?;
            let kind = EventKind::EmailChangeRequested;
            events::leave(&mut transaction, kind, owner, Some(session_id), caller, now).await?;
            transaction.commit().await.map_err(unexpected)?;
            Ok(outcome)
        })
        .await
    }

    async fn confirm_email_change(
        &self,
        token: PresentedMailToken,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<Confirmed>, Unexpected> {
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            let Some(holder) = mail_tokens::consume(&mut transaction, token, now).await? else {
                return Ok(None);
            };
            let account = sqlx::query!(
                r#"SELECT email, email_verified_at IS NOT NULL AS "is_verified!"
             FROM users
             WHERE id = $1 AND disabled_at IS NULL
             FOR UPDATE"#,
                holder.user_id,
            )
            .fetch_optional(&mut *transaction)
            .await
            .map_err(unexpected)?;
            let Some(account) = account else { return Ok(None) };
            if account.is_verified && account.email == holder.email {
                transaction.commit().await.map_err(unexpected)?;
                let email = address(&holder.email)?;
                return Ok(Some(Confirmed { user_id: holder.user_id.into(), email, event: None }));
            }
            // Addressed to where the account is still found.
            let notice = NewMail::notice(MailKind::EmailChanged, notice);
            notice.queue(&mut transaction, holder.user_id, None, now).await?;
            let moved = sqlx::query!(
                "UPDATE users
             SET email = $2, email_canonical = $3, email_verified_at = $4
             WHERE id = $1",
                holder.user_id,
                holder.email,
                holder.email_canonical,
                now,
            )
            .execute(&mut *transaction)
            .await;
            match moved {
                Ok(_) => {}
                Err(error) if breaks(&error, "users_email_canonical_key") => return Ok(None),
                Err(error) => return Err(unexpected(error)),
            }
            // Whoever reads the old mailbox has no say any longer.
            mail_tokens::void(&mut transaction, holder.user_id, &MailTokenPurpose::ALL, now).await?;
            let kind = EventKind::EmailChanged;
            events::leave(&mut transaction, kind, holder.user_id, None, caller, now).await?;
            transaction.commit().await.map_err(unexpected)?;
            let email = address(&holder.email)?;
            Ok(Some(Confirmed { user_id: holder.user_id.into(), email, event: Some(kind) }))
        })
        .await
    }

    async fn update_profile(
        &self,
        owner: Viewer,
        change: &ProfileChange,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<UpdatedProfile>, Unexpected> {
        let kind = EventKind::ProfileChanged;
        let row = sqlx::query_as!(
            UserRow,
            "WITH updated AS (
                 UPDATE users
                 SET name = CASE WHEN $2 THEN $3 ELSE name END, locale = COALESCE($4, locale)
                 WHERE id = $1
                     AND disabled_at IS NULL
                     AND (name, locale)
                         IS DISTINCT FROM (CASE WHEN $2 THEN $3 ELSE name END, COALESCE($4, locale))
                 RETURNING id, email, email_verified_at, name, locale, created_at
             )
             SELECT updated.id, email, email_verified_at, name, locale, created_at
             FROM updated
             CROSS JOIN LATERAL record_security_event($5, $6, updated.id, $7, $8, $9, $10, 1, $11, $12, $13)",
            Uuid::from(owner.user_id),
            change.name.is_some(),
            change.name.as_ref().and_then(|name| name.as_ref().map(PersonName::as_str)),
            change.locale.as_ref().map(Locale::as_str),
            Uuid::from(EventId::generate(now)),
            events::oldest_row(now),
            Uuid::from(owner.session_id),
            kind.as_str(),
            kind.outcome().as_str(),
            now,
            events::address(caller),
            caller.device.user_agent(),
            caller.request_id.as_ref().map(RequestId::as_str),
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        if let Some(row) = row {
            return Ok(Some(UpdatedProfile { user: row.try_into()?, has_changed: true }));
        }
        let same = PgUsers(self.0.clone()).find(owner.user_id).await?;
        Ok(same.map(|user| UpdatedProfile { user, has_changed: false }))
    }

    async fn delete(
        &self,
        (id, version): (UserId, PasswordVersion),
        current: SessionId,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected> {
        let id = Uuid::from(id);
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            // Of no account, so that it is still sent, and forgotten then.
            let told = sqlx::query!(
                "WITH account AS (
                 SELECT email, name, locale
                 FROM users
                 WHERE id = $1 AND password_version = $2 AND ending_sessions IS DISTINCT FROM 'deleted'
                 FOR UPDATE
             )
             INSERT INTO outbox (id, kind, recipient, recipient_name, locale, queued_at, due_at)
             SELECT $3, $4, email, name, locale, $5, $5
             FROM account",
                id,
                version.0,
                Uuid::from(notice),
                MailKind::AccountDeleted.as_str(),
                now,
            )
            .execute(&mut *transaction)
            .await
            .map_err(unexpected)?;
            if told.rows_affected() != 1 {
                return Ok(None);
            }
            let kind = EventKind::AccountDeleted;
            events::leave(&mut transaction, kind, id, Some(current), caller, now).await?;
            let ended = session_endings::begin(&mut transaction, id, None, SessionEnd::Deleted, now).await?;
            transaction.commit().await.map_err(unexpected)?;
            Ok(Some(ended))
        })
        .await
    }
}
