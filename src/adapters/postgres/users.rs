//! Accounts in Postgres.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::again::again;
use super::mailing::{NewMail, REPEATED, lock_mailbox};
use super::{corrupt, events, unexpected};
use crate::domain::{
    Caller, EmailAddress, EventKind, Locale, MailKind, PasswordVersion, PersonName, REPETITION, User, UserId,
};
use crate::ports::{Credentials, NewUser, Registered, TokenMail, Unexpected, Users};

/// [`Users`] in the table `users`.
pub struct PgUsers(pub(super) PgPool);

impl PgUsers {
    /// What the passwords are hashed to of those who logged in last: of so many sessions at most, which are in the order of
    /// their ids.
    ///
    /// # Errors
    /// [`Unexpected`] when they could not be read.
    pub async fn hashes_of_latest_logins(&self, sessions: i64) -> Result<Vec<String>, Unexpected> {
        let hashes = sqlx::query_scalar!(
            "SELECT password_hash
             FROM users
             WHERE id IN (SELECT user_id FROM sessions ORDER BY id DESC LIMIT $1)",
            sessions,
        )
        .fetch_all(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(hashes.into_iter().flatten().collect())
    }
}

#[async_trait]
impl Users for PgUsers {
    async fn register(
        &self,
        new: NewUser,
        mail: TokenMail,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Registered, Unexpected> {
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            lock_mailbox(&mut transaction, &new.email).await?;
            let inserted = sqlx::query_scalar!(
                "INSERT INTO users (id, email, email_canonical, password_hash, name, locale, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT ON CONSTRAINT users_email_canonical_key DO NOTHING
             RETURNING id",
                Uuid::from(new.id),
                new.email.as_str(),
                new.email.canonical(),
                new.password_hash,
                new.name.as_ref().map(PersonName::as_str),
                new.locale.as_str(),
                now,
            )
            .fetch_optional(&mut *transaction)
            .await
            .map_err(unexpected)?;
            let outcome = if let Some(id) = inserted {
                NewMail::with_token(MailKind::Welcome, mail).queue(&mut transaction, id, None, now).await?;
                events::leave(&mut transaction, EventKind::Registered, id, None, caller, now).await?;
                Registered::New
            } else {
                // Its owner is addressed as they wrote it themselves.
                let owner = sqlx::query!(
                    r#"SELECT id, email, created_at > $2 AS "is_fresh!"
                 FROM users
                 WHERE email_canonical = $1"#,
                    new.email.canonical(),
                    now - REPETITION,
                )
                .fetch_optional(&mut *transaction)
                .await
                .map_err(unexpected)?
                // The same request will find the address free.
                .ok_or_else(|| Unexpected::unavailable("the address", "it was given up at this moment"))?;
                let told = NewMail::notice_instead(MailKind::AlreadyRegistered, mail);
                if owner.is_fresh {
                    told.suppress(&mut transaction, REPEATED, now).await?;
                } else {
                    told.queue_sparingly(&mut transaction, Ok(owner.id), &address(&owner.email)?, now)
                        .await?;
                }
                let repeated = EventKind::RegistrationRepeated;
                events::leave(&mut transaction, repeated, owner.id, None, caller, now).await?;
                Registered::Taken
            };
            transaction.commit().await.map_err(unexpected)?;
            Ok(outcome)
        })
        .await
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
        let row = sqlx::query_as!(
            CredentialsRow,
            "SELECT id, email, email_verified_at, name, locale, created_at, password_hash, password_version,
                 disabled_at
             FROM users
             WHERE email_canonical = $1",
            email.canonical(),
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        row.map(Credentials::try_from).transpose()
    }

    async fn find_credentials_of(&self, id: UserId) -> Result<Option<Credentials>, Unexpected> {
        let row = sqlx::query_as!(
            CredentialsRow,
            "SELECT id, email, email_verified_at, name, locale, created_at, password_hash, password_version,
                 disabled_at
             FROM users
             WHERE id = $1",
            Uuid::from(id),
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        row.map(Credentials::try_from).transpose()
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, Unexpected> {
        let row = sqlx::query_as!(
            UserRow,
            "SELECT id, email, email_verified_at, name, locale, created_at
             FROM users
             WHERE id = $1 AND disabled_at IS NULL",
            Uuid::from(id),
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        row.map(User::try_from).transpose()
    }
}

pub(super) struct UserRow {
    pub(super) id: Uuid,
    pub(super) email: String,
    pub(super) email_verified_at: Option<DateTime<Utc>>,
    pub(super) name: Option<String>,
    pub(super) locale: String,
    pub(super) created_at: DateTime<Utc>,
}

impl TryFrom<UserRow> for User {
    type Error = Unexpected;

    fn try_from(row: UserRow) -> Result<Self, Unexpected> {
        Ok(Self {
            id: row.id.into(),
            email: address(&row.email)?,
            email_verified_at: row.email_verified_at,
            name: person_name(row.name)?,
            locale: language(&row.locale)?,
            created_at: row.created_at,
        })
    }
}

struct CredentialsRow {
    id: Uuid,
    email: String,
    email_verified_at: Option<DateTime<Utc>>,
    name: Option<String>,
    locale: String,
    created_at: DateTime<Utc>,
    password_hash: Option<String>,
    password_version: i32,
    disabled_at: Option<DateTime<Utc>>,
}

impl TryFrom<CredentialsRow> for Credentials {
    type Error = Unexpected;

    fn try_from(row: CredentialsRow) -> Result<Self, Unexpected> {
        let CredentialsRow { id, email, email_verified_at, name, locale, created_at, .. } = row;
        Ok(Self {
            user: UserRow { id, email, email_verified_at, name, locale, created_at }.try_into()?,
            password_hash: row.password_hash,
            password_version: PasswordVersion(row.password_version),
            disabled: row.disabled_at.is_some(),
        })
    }
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
