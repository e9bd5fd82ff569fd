//! Queueing mails inside of the transaction that owes them. Every request for a mail leaves one row, sent or not.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::unexpected;
use crate::domain::{EmailAddress, MAIL_ALLOWANCE, MailId, MailKind};
use crate::ports::{TokenMail, Unexpected};

/// Why mails are not sent on purpose, for the operator.
pub(super) const NO_ACCOUNT: &str = "no account has this address";
pub(super) const ALREADY_VERIFIED: &str = "the address has been confirmed already";
pub(super) const REPEATED: &str = "the account was made a moment ago, and its owner has the welcome";
const TOO_MANY: &str = "the address has had too many mails of late";

/// A mail that is to be queued.
#[derive(Clone, Copy)]
pub(super) struct NewMail {
    id: MailId,
    kind: MailKind,
    token: Option<TokenMail>,
}

impl NewMail {
    /// One that only tells something.
    pub(super) fn notice(kind: MailKind, id: MailId) -> Self {
        Self { id, kind, token: None }
    }

    /// One with a token in it.
    pub(super) fn with_token(kind: MailKind, token: TokenMail) -> Self {
        Self { id: token.id, kind, token: Some(token) }
    }

    /// Whether it only confirms the address that the account has.
    pub(super) fn is_verification(self) -> bool {
        self.kind == MailKind::Verification
    }

    /// Queues it for the account's address, or for `to`, in the account's language.
    pub(super) async fn queue(
        self,
        connection: &mut PgConnection,
        owner: Uuid,
        to: Option<&EmailAddress>,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected> {
        let (email, canonical) = (to.map(EmailAddress::as_str), to.map(EmailAddress::canonical));
        let queued = sqlx::query!(
            "INSERT INTO outbox
                (id, user_id, kind, recipient, recipient_canonical, recipient_name, locale, queued_at, due_at)
             SELECT $1, id, $2, COALESCE($3, email), COALESCE($4, email_canonical), name, locale, $5, $5
             FROM users
             WHERE id = $6",
            Uuid::from(self.id),
            self.kind.as_str(),
            email,
            canonical,
            now,
            owner,
        )
        .execute(&mut *connection)
        .await
        .map_err(unexpected)?;
        if queued.rows_affected() != 1 {
            return Err(Unexpected::unavailable("the account", "it was deleted at this moment"));
        }
        self.add_token(connection, owner, to).await
    }

    /// The token that it carries, if it carries one, where the account is there.
    async fn add_token(
        self,
        connection: &mut PgConnection,
        owner: Uuid,
        to: Option<&EmailAddress>,
    ) -> Result<(), Unexpected> {
        let (Some(token), Some(purpose)) = (self.token, self.kind.purpose()) else { return Ok(()) };
        sqlx::query!(
            "INSERT INTO mail_tokens (id, user_id, purpose, digest, email, email_canonical, expires_at)
             SELECT $1, id, $2, $3, COALESCE($4, email), COALESCE($5, email_canonical), $6
             FROM users
             WHERE id = $7",
            Uuid::from(token.id),
            purpose.as_str(),
            &token.digest.0,
            to.map(EmailAddress::as_str),
            to.map(EmailAddress::canonical),
            token.expires_at,
            owner,
        )
        .execute(&mut *connection)
        .await
        .map_err(unexpected)?;
        Ok(())
    }

    /// The same for mails that strangers can cause: not more of them than one mailbox must bear. Needs its
    /// [lock](lock_mailbox).
    ///
    /// Where there is no owner, but a reason why nobody gets it, the same statements are run: the time that they take must
    /// not tell who has an account.
    pub(super) async fn queue_sparingly(
        self,
        connection: &mut PgConnection,
        owner: Result<Uuid, &'static str>,
        to: &EmailAddress,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected> {
        let mut has_had_enough = false;
        for (period, most) in MAIL_ALLOWANCE {
            let had = sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!"
                 FROM outbox
                 WHERE recipient_canonical = $1 AND queued_at > $2 AND state <> 'suppressed'"#,
                to.canonical(),
                now - period,
            )
            .fetch_one(&mut *connection)
            .await
            .map_err(unexpected)?;
            has_had_enough |= had >= most;
        }
        match owner {
            Ok(owner) if !has_had_enough => self.queue(connection, owner, Some(to), now).await,
            owner => {
                self.suppress(connection, owner.err().unwrap_or(TOO_MANY), now).await?;
                self.add_token(connection, Uuid::nil(), Some(to)).await
            }
        }
    }

    /// Leaves a row that says why it is not sent, and names nobody.
    pub(super) async fn suppress(
        self,
        connection: &mut PgConnection,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected> {
        sqlx::query!(
            "INSERT INTO outbox (id, kind, recipient, locale, queued_at, due_at, state, settled_at, last_error)
             VALUES ($1, $2, '', 'en', $3, $3, 'suppressed', $3, $4)",
            Uuid::from(self.id),
            self.kind.as_str(),
            now,
            reason,
        )
        .execute(&mut *connection)
        .await
        .map_err(unexpected)?;
        Ok(())
    }
}

/// Waits until no other transaction queues mails for this mailbox, so that they are counted one after the other. Also for an
/// address without an account, which must not be told apart by what it waits for.
pub(super) async fn lock_mailbox(
    connection: &mut PgConnection,
    email: &EmailAddress,
) -> Result<(), Unexpected> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", email.canonical())
        .execute(connection)
        .await
        .map_err(unexpected)?;
    Ok(())
}
