//! Accounts in Postgres.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::{corrupt, unexpected};
use crate::domain::{EmailAddress, Locale, MailId, MailKind, PersonName, User, UserId};
use crate::ports::{Credentials, NewUser, Unexpected, Users};

/// [`Users`] in the table `users`.
pub struct PgUsers(pub(super) PgPool);

#[async_trait]
impl Users for PgUsers {
    async fn register(&self, new: NewUser, now: DateTime<Utc>) -> Result<MailId, Unexpected> {
        let mut transaction = self.0.begin().await.map_err(unexpected)?;
        let inserted = sqlx::query!(
            "INSERT INTO users (id, email, email_canonical, password_hash, name, locale, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT ON CONSTRAINT users_email_canonical_key DO NOTHING",
            Uuid::from(UserId::generate(now)),
            new.email.as_str(),
            new.email.canonical(),
            new.password_hash,
            new.name.as_ref().map(PersonName::as_str),
            new.locale.as_str(),
            now,
        )
        .execute(&mut *transaction)
        .await
        .map_err(unexpected)?;
        let kind = match inserted.rows_affected() {
            0 => MailKind::AlreadyRegistered,
            _ => MailKind::Welcome,
        };
        let mail = MailId::generate(now);
        // Reads the account back instead of using the input: for a taken address it is its owner who is addressed.
        let queued = sqlx::query!(
            "INSERT INTO outbox (id, user_id, kind, recipient, recipient_name, locale, queued_at, due_at)
             SELECT $1, id, $2, email, name, locale, $3, $3
             FROM users
             WHERE email_canonical = $4",
            Uuid::from(mail),
            kind.as_str(),
            now,
            new.email.canonical(),
        )
        .execute(&mut *transaction)
        .await
        .map_err(unexpected)?;
        if queued.rows_affected() != 1 {
            // The account was deleted between the two statements: the same request will find the address free.
            return Err(Unexpected::unavailable("the address", "it was given up at this moment"));
        }
        transaction.commit().await.map_err(unexpected)?;
        Ok(mail)
    }

    async fn rehash(&self, id: UserId, from: &str, to: &str) -> Result<(), Unexpected> {
        sqlx::query!(
            "UPDATE users
             SET password_hash = $3
             WHERE id = $1 AND password_hash = $2",
            Uuid::from(id),
            from,
            to,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(())
    }

    async fn find_credentials(&self, email: &EmailAddress) -> Result<Option<Credentials>, Unexpected> {
        let row = sqlx::query!(
            "SELECT id, email, email_verified_at, password_hash, name, locale, created_at, disabled_at
             FROM users
             WHERE email_canonical = $1",
            email.canonical(),
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        row.map(|row| {
            let user =
                user(row.id, &row.email, row.email_verified_at, row.name, &row.locale, row.created_at)?;
            Ok(Credentials { user, password_hash: row.password_hash, disabled: row.disabled_at.is_some() })
        })
        .transpose()
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, Unexpected> {
        let row = sqlx::query!(
            "SELECT id, email, email_verified_at, name, locale, created_at
             FROM users
             WHERE id = $1 AND disabled_at IS NULL",
            Uuid::from(id),
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        row.map(|row| user(row.id, &row.email, row.email_verified_at, row.name, &row.locale, row.created_at))
            .transpose()
    }
}

fn user(
    id: Uuid,
    email: &str,
    email_verified_at: Option<DateTime<Utc>>,
    name: Option<String>,
    locale: &str,
    created_at: DateTime<Utc>,
) -> Result<User, Unexpected> {
    Ok(User {
        id: id.into(),
        email: address(email)?,
        email_verified_at,
        name: person_name(name)?,
        locale: language(locale)?,
        created_at,
    })
}

/// Reads a stored address.
pub(super) fn address(email: &str) -> Result<EmailAddress, Unexpected> {
    EmailAddress::parse(email).map_err(|_| corrupt("an e-mail address"))
}

/// Reads a stored name.
pub(super) fn person_name(name: Option<String>) -> Result<Option<PersonName>, Unexpected> {
    PersonName::parse(&name.unwrap_or_default()).map_err(|_| corrupt("a name"))
}

/// Reads a stored language tag.
pub(super) fn language(locale: &str) -> Result<Locale, Unexpected> {
    Locale::parse(locale).map_err(|_| corrupt("a locale"))
}
