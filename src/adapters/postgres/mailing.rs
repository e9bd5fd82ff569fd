//! Queueing mails inside of the transaction that owes them. Every request for a mail leaves one row, sent or not.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::unexpected;
use crate::domain::{
    EmailAddress, MAIL_DAY, MAIL_HOUR, MailHistory, MailId, MailKind, MailRequester, MailTokenPurpose,
};
use crate::ports::{TokenMail, Unexpected};

/// Why mails are not sent on purpose, for the operator.
pub(super) const NO_ACCOUNT: &str = "no account has this address";
pub(super) const ALREADY_VERIFIED: &str = "the address has been confirmed already";
pub(super) const REPEATED: &str = "the account was made a moment ago, and its owner has the welcome";
/// How long a link has to work yet to be worth looking for.
const REST_OF_A_LINK: TimeDelta = TimeDelta::minutes(10);
const TOO_MANY: &str = "the address has had too many mails of late";

/// A mail that is to be queued.
#[derive(Clone, Copy)]
pub(super) struct NewMail {
    id: MailId,
    kind: MailKind,
    token: Option<TokenMail>,
    /// Who asked for it, where somebody did.
    requester: Option<MailRequester>,
}

impl NewMail {
    /// One that only tells something.
    pub(super) fn notice(kind: MailKind, id: MailId) -> Self {
        Self { id, kind, token: None, requester: None }
    }

    /// One with a token in it.
    pub(super) fn with_token(kind: MailKind, token: TokenMail) -> Self {
        Self { id: token.id, kind, token: Some(token), requester: Some(token.requester) }
    }

    /// One that tells an owner what somebody else asked for, and that goes without its token.
    pub(super) fn notice_instead(kind: MailKind, asked: TokenMail) -> Self {
        Self { id: asked.id, kind, token: None, requester: Some(asked.requester) }
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

    /// The same for mails that strangers can cause: not more of them than one mailbox must bear, as [`MailHistory::allow`]
    /// says. Needs its [lock](lock_mailbox).
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
        let allowance = match self.requester {
            Some(requester) => {
                let history = self.history(connection, owner.ok(), to, requester, now).await?;
                history.allow(requester)
            }
            None => None,
        };
        match (owner, allowance) {
            (Ok(owner), Some(allowance)) => {
                self.queue(connection, owner, Some(to), now).await?;
                self.count(connection, allowance.as_str()).await
            }
            (owner, _) => {
                self.suppress(connection, owner.err().unwrap_or(TOO_MANY), now).await?;
                self.add_token(connection, Uuid::nil(), Some(to)).await?;
                self.count(connection, "shared").await
            }
        }
    }

    /// What the mailbox has had of the like.
    async fn history(
        self,
        connection: &mut PgConnection,
        owner: Option<Uuid>,
        to: &EmailAddress,
        requester: MailRequester,
        now: DateTime<Utc>,
    ) -> Result<MailHistory, Unexpected> {
        let kinds: Vec<&str> = self.kind.counted_with().into_iter().map(MailKind::as_str).collect();
        let purpose = self.kind.purpose();
        let had = sqlx::query!(
            r#"SELECT
                 count(*) FILTER (WHERE allowance = 'shared' AND queued_at > $2) AS "shared_hour!",
                 count(*) FILTER (WHERE allowance = 'shared') AS "shared_day!",
                 count(*) FILTER (WHERE allowance = 'known' AND queued_at > $2) AS "known_hour!",
                 count(*) FILTER (WHERE allowance = 'known') AS "known_day!",
                 count(*) FILTER (WHERE allowance = 'reserve' AND queued_at > $2) AS "reserve!",
                 count(*) FILTER (WHERE requester = $4 AND queued_at > $2) AS "requester_hour!",
                 count(*) FILTER (WHERE requester = $4) AS "requester_day!",
                 $6::text IS NULL OR EXISTS (
                     SELECT
                     FROM mail_tokens
                     WHERE user_id = $7 AND email_canonical = $1 AND purpose = $6 AND consumed_at IS NULL
                         AND expires_at > $8
                 ) AS "has_good_link!"
             FROM (
                 SELECT COALESCE(allowance, 'shared') AS allowance, requester, queued_at
                 FROM outbox
                 WHERE recipient_canonical = $1 AND queued_at > $3 AND state <> 'suppressed' AND kind = ANY($5)
             ) AS mails"#,
            to.canonical(),
            now - MAIL_HOUR,
            now - MAIL_DAY,
            requester.network.0.as_slice(),
            &kinds as &[&str],
            purpose.map(MailTokenPurpose::as_str),
            owner.unwrap_or_default(),
            now + REST_OF_A_LINK,
        )
        .fetch_one(connection)
        .await
        .map_err(unexpected)?;
        Ok(MailHistory {
            shared: (had.shared_hour, had.shared_day),
            known: (had.known_hour, had.known_day),
            reserve: had.reserve,
            of_requester: (had.requester_hour, had.requester_day),
            has_good_link: had.has_good_link,
        })
    }

    /// Writes down what it was counted against.
    async fn count(self, connection: &mut PgConnection, against: &str) -> Result<(), Unexpected> {
        sqlx::query!(
            "UPDATE outbox
             SET requester = $2, allowance = $3
             WHERE id = $1",
            Uuid::from(self.id),
            self.requester.map(|requester| requester.network.0.to_vec()),
            against,
        )
        .execute(connection)
        .await
        .map_err(unexpected)?;
        Ok(())
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
