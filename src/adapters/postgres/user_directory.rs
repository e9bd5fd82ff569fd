//! Accounts in Postgres, as an operator sees them.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::again::again;
use super::users::UserRow;
use super::{events, session_endings, session_ends, unexpected};
use crate::domain::{
    Caller, EmailAddress, EventId, EventKind, PersonName, SessionEnd, SessionId, User, UserId,
};
use crate::ports::{AccountRecord, Addition, EndedBatch, Unexpected, UserDirectory};

/// [`UserDirectory`] in the table `users`.
pub struct PgUserDirectory(pub(super) PgPool);

#[async_trait]
impl UserDirectory for PgUserDirectory {
    async fn add(&self, accounts: &[AccountRecord], now: DateTime<Utc>) -> Result<Vec<Addition>, Unexpected> {
        again(|| async {
        let mut transaction = self.0.begin().await.map_err(unexpected)?;
        let column = Columns::of(accounts);
        let added = sqlx::query!(
            "INSERT INTO users (id, email, email_canonical, email_verified_at, password_hash, name, locale,
                 created_at, disabled_at)
             SELECT id, email, email_canonical, email_verified_at, password_hash, name, locale, created_at,
                 disabled_at
             FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
                 $7::text[], $8::timestamptz[], $9::timestamptz[])
                 AS new (id, email, email_canonical, email_verified_at, password_hash, name, locale, created_at,
                     disabled_at)
             ON CONFLICT DO NOTHING
             RETURNING id, email_canonical",
            &column.id,
            &column.email as &[&str],
            &column.email_canonical,
            &column.email_verified_at as &[Option<DateTime<Utc>>],
            &column.password_hash as &[Option<&str>],
            &column.name as &[Option<&str>],
            &column.locale as &[&str],
            &column.created_at,
            &column.disabled_at as &[Option<DateTime<Utc>>],
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(unexpected)?;
        let mut added: HashSet<(Uuid, String)> =
            added.into_iter().map(|row| (row.id, row.email_canonical)).collect();
        let ids: Vec<Uuid> = added.iter().map(|(id, _)| *id).collect();
        leave_added(&mut transaction, &ids, now).await?;
        let there = if added.len() == accounts.len() {
            Vec::new()
        } else {
            // Which of the two constraints the others met.
            sqlx::query_scalar!(
                "SELECT email_canonical
                 FROM users
                 WHERE email_canonical = ANY($1)",
                &column.email_canonical,
            )
            .fetch_all(&mut *transaction)
            .await
            .map_err(unexpected)?
        };
        transaction.commit().await.map_err(unexpected)?;
        let there: HashSet<String> = there.into_iter().collect();
        let additions = column.id.into_iter().zip(column.email_canonical).map(|key| {
            // Taken out, so that of two that are the same one counts as added.
            if added.remove(&key) {
                Addition::Added
            } else if there.contains(&key.1) {
                Addition::AddressTaken
            } else {
                Addition::IdTaken
            }
        });
        Ok(additions.collect())
        })
        .await
    }

    async fn page(&self, last: Option<UserId>, count: u32) -> Result<Vec<AccountRecord>, Unexpected> {
        // No account has the nil id, which comes before all others.
        let rows = sqlx::query!(
            "SELECT id, email, email_verified_at, password_hash, name, locale, created_at, disabled_at
             FROM users
             WHERE id > $1
             ORDER BY id
             LIMIT $2",
            last.map_or(Uuid::nil(), Uuid::from),
            i64::from(count),
        )
        .fetch_all(&self.0)
        .await
        .map_err(unexpected)?;
        let records = rows.into_iter().map(|row| {
            let user = UserRow {
                id: row.id,
                email: row.email,
                email_verified_at: row.email_verified_at,
                name: row.name,
                locale: row.locale,
                created_at: row.created_at,
            };
            Ok(AccountRecord {
                user: User::try_from(user)?,
                password_hash: row.password_hash,
                disabled_at: row.disabled_at,
            })
        });
        records.collect()
    }

    async fn disable(
        &self,
        email: &EmailAddress,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected> {
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            let account = lock(&mut transaction, email).await?.filter(|account| !account.is_being_deleted());
            let Some(account) = account else { return Ok(None) };
            if account.is_disabled {
                return Ok(Some(account.unfinished()));
            }
            let ended =
                session_endings::begin(&mut transaction, account.id, None, SessionEnd::Disabled, now).await?;
            leave(&mut transaction, EventKind::AccountDisabled, account.id, now).await?;
            transaction.commit().await.map_err(unexpected)?;
            Ok(Some(ended))
        })
        .await
    }

    async fn enable(&self, email: &EmailAddress, now: DateTime<Utc>) -> Result<bool, Unexpected> {
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            let account = lock(&mut transaction, email).await?.filter(|account| !account.is_being_deleted());
            let Some(Account { id, .. }) = account else { return Ok(false) };
            let opened = sqlx::query!(
                "UPDATE users
             SET disabled_at = NULL
             WHERE id = $1 AND disabled_at IS NOT NULL",
                id,
            )
            .execute(&mut *transaction)
            .await
            .map_err(unexpected)?;
            if opened.rows_affected() == 1 {
                leave(&mut transaction, EventKind::AccountEnabled, id, now).await?;
            }
            transaction.commit().await.map_err(unexpected)?;
            Ok(true)
        })
        .await
    }

    async fn now(&self) -> Result<DateTime<Utc>, Unexpected> {
        sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
            .fetch_one(&self.0)
            .await
            .map_err(unexpected)
    }

    async fn end_sessions(
        &self,
        last: Option<SessionId>,
        count: u32,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>, Unexpected> {
        session_ends::end_many(&self.0, last, count, now).await
    }

    async fn delete(
        &self,
        email: &EmailAddress,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected> {
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            let Some(account) = lock(&mut transaction, email).await? else { return Ok(None) };
            if account.is_being_deleted() {
                return Ok(Some(account.unfinished()));
            }
            leave(&mut transaction, EventKind::AccountDeleted, account.id, now).await?;
            let ended =
                session_endings::begin(&mut transaction, account.id, None, SessionEnd::Deleted, now).await?;
            transaction.commit().await.map_err(unexpected)?;
            Ok(Some(ended))
        })
        .await
    }
}

/// Leaves an event of what an operator has done with an account.
async fn leave(
    connection: &mut PgConnection,
    kind: EventKind,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Unexpected> {
    events::leave(connection, kind, id, None, &Caller::default(), now).await
}

/// The same for accounts that were added, which may be many.
async fn leave_added(
    connection: &mut PgConnection,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), Unexpected> {
    let kind = EventKind::AccountAdded;
    let event_ids: Vec<Uuid> = ids.iter().map(|_| EventId::generate(now).into()).collect();
    sqlx::query!(
        "INSERT INTO security_events (id, user_id, kind, outcome, occurred_at)
         SELECT id, user_id, $3, $4, $5
         FROM unnest($1::uuid[], $2::uuid[]) AS added (id, user_id)",
        &event_ids,
        ids,
        kind.as_str(),
        kind.outcome().as_str(),
        now,
    )
    .execute(connection)
    .await
    .map_err(unexpected)?;
    Ok(())
}

/// An account whose row is locked.
struct Account {
    id: Uuid,
    is_disabled: bool,
    session_epoch: i32,
    ending_sessions: Option<String>,
}

impl Account {
    /// Whether nothing but the deletion of many sessions keeps it.
    fn is_being_deleted(&self) -> bool {
        self.ending_sessions.as_deref() == Some(SessionEnd::Deleted.as_str())
    }

    /// What is left of an end of its sessions that was begun earlier.
    fn unfinished(&self) -> EndedBatch {
        let is_ending = self.ending_sessions.is_some();
        let rest = is_ending.then(|| session_endings::owed(self.id, self.session_epoch));
        EndedBatch { rest, ..EndedBatch::default() }
    }
}

/// Locks the account with this address, so that no session of it starts before the transaction is over.
async fn lock(connection: &mut PgConnection, email: &EmailAddress) -> Result<Option<Account>, Unexpected> {
    sqlx::query_as!(
        Account,
        r#"SELECT id, disabled_at IS NOT NULL AS "is_disabled!", session_epoch, ending_sessions
         FROM users
         WHERE email_canonical = $1
         FOR UPDATE"#,
        email.canonical(),
    )
    .fetch_optional(connection)
    .await
    .map_err(unexpected)
}

/// Accounts by column, as one statement takes them.
#[derive(Default)]
struct Columns<'a> {
    id: Vec<Uuid>,
    email: Vec<&'a str>,
    email_canonical: Vec<String>,
    email_verified_at: Vec<Option<DateTime<Utc>>>,
    password_hash: Vec<Option<&'a str>>,
    name: Vec<Option<&'a str>>,
    locale: Vec<&'a str>,
    created_at: Vec<DateTime<Utc>>,
    disabled_at: Vec<Option<DateTime<Utc>>>,
}

impl<'a> Columns<'a> {
    fn of(accounts: &'a [AccountRecord]) -> Self {
        let mut columns = Self::default();
        for AccountRecord { user, password_hash, disabled_at } in accounts {
            columns.id.push(user.id.into());
            columns.email.push(user.email.as_str());
            columns.email_canonical.push(user.email.canonical());
            columns.email_verified_at.push(user.email_verified_at);
            columns.password_hash.push(password_hash.as_deref());
            columns.name.push(user.name.as_ref().map(PersonName::as_str));
            columns.locale.push(user.locale.as_str());
            columns.created_at.push(user.created_at);
            columns.disabled_at.push(*disabled_at);
        }
        columns
    }
}
