//! How sessions end, in Postgres, and how that is read.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::again::again;
use super::{events, unexpected};
use crate::domain::{
    CLOCK_SKEW, Caller, EventId, MailId, MailKind, RequestId, Session, SessionEnd, SessionId,
};
use crate::ports::{EndCursor, Unexpected};

/// Ends a session, whoever asks for it.
pub(super) async fn end(
    pool: &PgPool,
    id: SessionId,
    reason: SessionEnd,
    caller: &Caller,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>, Unexpected> {
    let kind = reason.event();
    // Ended in any case, though it may seem to have expired: another instance, with a clock behind ours, could go on
    // with it.
    let ended = sqlx::query!(
        r#"WITH ended AS (
             UPDATE sessions
             SET ended_at = $2, end_reason = $3
             WHERE id = $1 AND ended_at IS NULL
             RETURNING id, user_id, expires_at > $2 AS was_live
         ), event AS (
             INSERT INTO security_events
                (id, user_id, session_id, kind, outcome, occurred_at, ip_address, user_agent, request_id)
             SELECT $4, user_id, id, $5, $6, $2, $7, $8, $9
             FROM ended
             WHERE was_live
         )
         SELECT id, was_live AS "was_live!"
         FROM ended"#,
        Uuid::from(id),
        now,
        reason.as_str(),
        Uuid::from(EventId::generate(now)),
        kind.as_str(),
        kind.outcome().as_str(),
        events::address(caller),
        caller.device.user_agent(),
        caller.request_id.as_ref().map(RequestId::as_str),
    )
    .fetch_all(pool)
    .await
    .map_err(unexpected)?;
    Ok(ended.into_iter().filter(|row| row.was_live).map(|row| row.id.into()).collect())
}

/// Ends a session that was judged at this generation, leaves an event, and queues the mail about it. `None` when it has changed since.
pub(super) async fn end_reused(
    pool: &PgPool,
    session: &Session,
    caller: &Caller,
    now: DateTime<Utc>,
) -> Result<Option<MailId>, Unexpected> {
    let kind = SessionEnd::Reuse.event();
    let mail = MailId::generate(now);
    again(|| async {
        let queued = sqlx::query!(
            "WITH ended AS (
             UPDATE sessions
             SET ended_at = $3, end_reason = $4
             WHERE id = $1 AND generation = $2 AND ended_at IS NULL
             RETURNING user_id
         ), event AS (
             INSERT INTO security_events
                (id, user_id, session_id, kind, outcome, occurred_at, ip_address, user_agent, request_id)
             SELECT $7, user_id, $1, $8, $9, $3, $10, $11, $12
             FROM ended
         )
         INSERT INTO outbox
            (id, user_id, kind, recipient, recipient_canonical, recipient_name, locale, queued_at, due_at)
         SELECT $5, users.id, $6, email, email_canonical, name, locale, $3, $3
         FROM users
         JOIN ended ON ended.user_id = users.id",
            Uuid::from(session.id),
            i32::from(session.generation),
            now,
            SessionEnd::Reuse.as_str(),
            Uuid::from(mail),
            MailKind::SessionReuse.as_str(),
            Uuid::from(EventId::generate(now)),
            kind.as_str(),
            kind.outcome().as_str(),
            events::address(caller),
            caller.device.user_agent(),
            caller.request_id.as_ref().map(RequestId::as_str),
        )
        .execute(pool)
        .await
        .map_err(unexpected)?;
        Ok((queued.rows_affected() == 1).then_some(mail))
    })
    .await
}

/// Ends sessions of any account, by an operator. See [`UserDirectory::end_sessions`].
///
/// [`UserDirectory::end_sessions`]: crate::ports::UserDirectory::end_sessions
pub(super) async fn end_many(
    pool: &PgPool,
    last: Option<SessionId>,
    count: u32,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>, Unexpected> {
    let (reason, kind) = (SessionEnd::Operator, SessionEnd::Operator.event());
    let events: Vec<Uuid> = (0..count).map(|_| EventId::generate(now).into()).collect();
    // Clocks of instances differ from that of the database, by a minute at most: what has just expired, or is about to begin.
    again(|| async {
        let ended = sqlx::query_scalar!(
            r#"WITH living AS (
             SELECT id
             FROM sessions
             WHERE id > $1 AND ended_at IS NULL AND expires_at > $3 AND created_at <= $4
             ORDER BY id
             LIMIT $2
             FOR UPDATE
         ), ended AS (
             UPDATE sessions
             SET ended_at = $5, end_reason = $6
             FROM living
             WHERE sessions.id = living.id
             RETURNING sessions.id, sessions.user_id
         ), numbered AS (
             SELECT id, user_id, row_number() OVER () AS number
             FROM ended
         ), event AS (
             INSERT INTO security_events (id, user_id, session_id, kind, outcome, occurred_at)
             SELECT ($7::uuid[])[number], user_id, id, $8, $9, $5
             FROM numbered
         )
         SELECT id
         FROM ended
         ORDER BY id"#,
            last.map_or(Uuid::nil(), Uuid::from),
            i64::from(count),
            now - CLOCK_SKEW,
            now + CLOCK_SKEW,
            now,
            reason.as_str(),
            &events,
            kind.as_str(),
            kind.outcome().as_str(),
        )
        .fetch_all(pool)
        .await
        .map_err(unexpected)?;
        Ok(ended.into_iter().map(SessionId::from).collect())
    })
    .await
}

/// The sessions whose ends were recorded after the cursor, or lately.
pub(super) async fn ended_since(
    pool: &PgPool,
    cursor: Option<EndCursor>,
) -> Result<(Vec<SessionId>, EndCursor), Unexpected> {
    // Reads again what was written up to 30 seconds before the cursor: a statement may commit that long after it took
    // the time. At first, what ended within the life of any access token, and clocks that differ. Without those that were
    // never refreshed and began before: no token of theirs is about, and they may be many.
    let row = sqlx::query!(
        r#"SELECT clock_timestamp() AS "read_at!",
             ARRAY(
                 SELECT id
                 FROM sessions
                 WHERE end_recorded_at > COALESCE($1::timestamptz - interval '30 seconds', now() - interval '20 minutes')
                     AND (generation > 1 OR rotation_recorded_at > now() - interval '20 minutes')
             ) AS "ended!""#,
        cursor.map(|cursor| cursor.0),
    )
    .fetch_one(pool)
    .await
    .map_err(unexpected)?;
    Ok((row.ended.into_iter().map(SessionId::from).collect(), EndCursor(row.read_at)))
}
