//! Confirming addresses, and getting back in without the password, in Postgres.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::again::again;
use super::mailing::{ALREADY_VERIFIED, NO_ACCOUNT, NewMail, lock_mailbox};
use super::users::{UserRow, address};
use super::{events, mail_tokens, session_endings, unexpected};
use crate::domain::{
    Caller, EmailAddress, EventKind, MailId, MailKind, MailTokenPurpose, PresentedMailToken, SessionEnd, User,
};
use crate::ports::{Confirmed, EndedBatch, Recovery, TokenMail, Unexpected};

/// [`Recovery`] in the tables `users`, `mail_tokens` and `outbox`.
pub struct PgRecovery(pub(super) PgPool);

#[async_trait]
impl Recovery for PgRecovery {
    async fn request_verification(
        &self,
        email: &EmailAddress,
        mail: TokenMail,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected> {
        self.request(email, NewMail::with_token(MailKind::Verification, mail), None, now).await
    }

    async fn request_password_reset(
        &self,
        email: &EmailAddress,
        mail: TokenMail,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected> {
        let event = Some((EventKind::PasswordResetRequested, caller));
        self.request(email, NewMail::with_token(MailKind::PasswordReset, mail), event, now).await
    }

    async fn find_holder(
        &self,
        token: PresentedMailToken,
        now: DateTime<Utc>,
    ) -> Result<Option<User>, Unexpected> {
        let row = sqlx::query_as!(
            UserRow,
            "SELECT users.id, users.email, email_verified_at, name, locale, created_at
             FROM users
             JOIN mail_tokens ON mail_tokens.user_id = users.id
             WHERE mail_tokens.id = $1
                 AND purpose = $2
                 AND digest = $3
                 AND consumed_at IS NULL
                 AND expires_at > $4
                 AND disabled_at IS NULL",
            Uuid::from(token.id),
            token.purpose.as_str(),
            &token.digest.0,
            now,
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        row.map(User::try_from).transpose()
    }

    async fn verify_email(
        &self,
        token: PresentedMailToken,
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
             WHERE id = $1 AND email_canonical = $2 AND disabled_at IS NULL
             FOR NO KEY UPDATE"#,
                holder.user_id,
                holder.email_canonical,
            )
            .fetch_optional(&mut *transaction)
            .await
            .map_err(unexpected)?;
            let Some(account) = account else { return Ok(None) };
            let event = (!account.is_verified).then_some(EventKind::EmailVerified);
            if let Some(kind) = event {
                sqlx::query!("UPDATE users SET email_verified_at = $2 WHERE id = $1", holder.user_id, now,)
                    .execute(&mut *transaction)
                    .await
                    .map_err(unexpected)?;
                events::leave(&mut transaction, kind, holder.user_id, None, caller, now).await?;
            }
            transaction.commit().await.map_err(unexpected)?;
            Ok(Some(Confirmed { user_id: holder.user_id.into(), email: address(&account.email)?, event }))
        })
        .await
    }

    async fn reset_password(
        &self,
        token: PresentedMailToken,
        password_hash: &str,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected> {
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            let Some(holder) = mail_tokens::consume(&mut transaction, token, now).await? else {
                return Ok(None);
            };
            let set = sqlx::query!(
                "UPDATE users
             SET password_hash = $2,
                 password_version = password_version + 1,
                 email_verified_at =
                     CASE WHEN email_canonical = $3 THEN COALESCE(email_verified_at, $4)
                     ELSE email_verified_at END
             WHERE id = $1 AND disabled_at IS NULL",
                holder.user_id,
                password_hash,
                holder.email_canonical,
                now,
            )
            .execute(&mut *transaction)
            .await
            .map_err(unexpected)?;
            if set.rows_affected() != 1 {
                return Ok(None);
            }
            let reason = SessionEnd::PasswordChanged;
            let ended = session_endings::begin(&mut transaction, holder.user_id, None, reason, now).await?;
            mail_tokens::void(
                &mut transaction,
                holder.user_id,
                &MailTokenPurpose::OF_WHO_HAS_THE_PASSWORD,
                now,
            )
            .await?;
            let notice = NewMail::notice(MailKind::PasswordChanged, notice);
            notice.queue(&mut transaction, holder.user_id, None, now).await?;
            events::leave(&mut transaction, EventKind::PasswordReset, holder.user_id, None, caller, now)
                .await?;
            transaction.commit().await.map_err(unexpected)?;
            Ok(Some(ended))
        })
        .await
    }
}

impl PgRecovery {
    /// Queues a mail to the owner of this address, or leaves word why not. The event is of the account, if there is one.
    async fn request(
        &self,
        email: &EmailAddress,
        mail: NewMail,
        event: Option<(EventKind, &Caller)>,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected> {
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            lock_mailbox(&mut transaction, email).await?;
            let owner = sqlx::query!(
                r#"SELECT id, email, email_verified_at IS NOT NULL AS "is_verified!"
             FROM users
             WHERE email_canonical = $1 AND disabled_at IS NULL"#,
                email.canonical(),
            )
            .fetch_optional(&mut *transaction)
            .await
            .map_err(unexpected)?;
            // Nobody has the nil id: for them, the same statements find nothing.
            let id = owner.as_ref().map_or(Uuid::nil(), |owner| owner.id);
            if let Some((kind, caller)) = event {
                events::leave(&mut transaction, kind, id, None, caller, now).await?;
            }
            // To the address as its owner wrote it, whatever the request says.
            let to = owner.as_ref().map(|owner| address(&owner.email)).transpose()?;
            let recipient = match owner {
                None => Err(NO_ACCOUNT),
                Some(owner) if mail.is_verification() && owner.is_verified => Err(ALREADY_VERIFIED),
                Some(owner) => Ok(owner.id),
            };
            mail.queue_sparingly(&mut transaction, recipient, to.as_ref().unwrap_or(email), now).await?;
            transaction.commit().await.map_err(unexpected)
        })
        .await
    }
}
