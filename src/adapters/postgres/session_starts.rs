//! How sessions begin in Postgres, and which ones make room for them.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::again::again;
use super::mailing::NewMail;
use super::{corrupt, events, unexpected};
use crate::domain::{
    Caller, ClientNetworks, DISPLACEMENT_NOTICE_PERIOD, EventId, EventKind, LiveSession, MAX_DISPLACED,
    MailId, MailKind, RequestId, SessionEnd, SessionId, SignInOrigin,
};
use crate::ports::{NewSession, Started, Unexpected};

/// Starts a session. See [`Sessions::start`].
///
/// [`Sessions::start`]: crate::ports::Sessions::start
pub(super) async fn start(
    pool: &PgPool,
    new: &NewSession,
    caller: &Caller,
) -> Result<Option<Started>, Unexpected> {
    again(|| async {
        let mut transaction = pool.begin().await.map_err(unexpected)?;
        if !insert(&mut transaction, new, caller).await? {
            return Ok(None);
        }
        let displaced = displace(&mut transaction, new, caller).await?;
        let notice = if displaced.is_empty() { None } else { tell(&mut transaction, new).await? };
        transaction.commit().await.map_err(unexpected)?;
        Ok(Some(Started { displaced, notice }))
    })
    .await
}

async fn insert(
    connection: &mut PgConnection,
    new: &NewSession,
    caller: &Caller,
) -> Result<bool, Unexpected> {
    let NewSession { session, checked, device, .. } = new;
    let kind = EventKind::LoggedIn;
    // The lock waits for a change of the password or a deletion that is under way, and makes one that comes later wait, and
    // find this session. Sign-ins of one account wait for each other, so that each counts all that began before it.
    let started = sqlx::query!(
        "WITH started AS (
             INSERT INTO sessions
                (id, user_id, generation, created_at, rotated_at, expires_at, absolute_expires_at, user_agent,
                 ip_address, signed_in_from, device_id, epoch)
             SELECT $1, users.id, $3, $4, $4, $5, $6, $7, $8, $8, $14, session_epoch
             FROM users
             WHERE users.id = $2 AND password_version = $9 AND disabled_at IS NULL
             FOR NO KEY UPDATE
             RETURNING id, user_id
         )
         INSERT INTO security_events
            (id, user_id, session_id, kind, outcome, occurred_at, ip_address, user_agent, request_id)
         SELECT $10, user_id, id, $11, $12, $4, $8, $7, $13
         FROM started",
        Uuid::from(session.id),
        Uuid::from(session.user_id),
        i32::from(session.generation),
        session.rotated_at,
        session.expires_at,
        session.absolute_expires_at,
        caller.device.user_agent(),
        events::address(caller),
        checked.0,
        Uuid::from(EventId::generate(session.rotated_at)),
        kind.as_str(),
        kind.outcome().as_str(),
        caller.request_id.as_ref().map(RequestId::as_str),
        device.map(Uuid::from),
    )
    .execute(connection)
    .await
    .map_err(unexpected)?;
    Ok(started.rows_affected() == 1)
}

/// Ends the sessions that are over the cap, each with an event of the sign-in that it made room for.
async fn displace(
    connection: &mut PgConnection,
    new: &NewSession,
    caller: &Caller,
) -> Result<Vec<SessionId>, Unexpected> {
    let now = new.session.rotated_at;
    let others = live_others(connection, new).await?;
    let network = caller.device.address().map(|address| ClientNetworks::of(address).widest());
    let displaced = new.cap.displaced(others, SignInOrigin { device: new.device, network });
    if displaced.is_empty() {
        return Ok(displaced);
    }
    let (reason, kind) = (SessionEnd::Displaced, SessionEnd::Displaced.event());
    let ids: Vec<Uuid> = displaced.iter().copied().map(Uuid::from).collect();
    let event_ids: Vec<Uuid> = ids.iter().map(|_| EventId::generate(now).into()).collect();
    let ended = sqlx::query_scalar!(
        r#"WITH living AS (
             SELECT id
             FROM sessions
             WHERE id = ANY($1) AND ended_at IS NULL
             ORDER BY id
             FOR UPDATE
         ), ended AS (
             UPDATE sessions
             SET ended_at = $2, end_reason = $3
             FROM living
             WHERE sessions.id = living.id
             RETURNING sessions.id, sessions.user_id
         ), numbered AS (
             SELECT id, user_id, row_number() OVER () AS number
             FROM ended
         ), event AS (
             INSERT INTO security_events
                (id, user_id, session_id, kind, outcome, occurred_at, ip_address, user_agent, request_id)
             SELECT ($4::uuid[])[number], user_id, id, $5, $6, $2, $7, $8, $9
             FROM numbered
         )
         SELECT id
         FROM ended"#,
        &ids,
        now,
        reason.as_str(),
        &event_ids,
        kind.as_str(),
        kind.outcome().as_str(),
        events::address(caller),
        caller.device.user_agent(),
        caller.request_id.as_ref().map(RequestId::as_str),
    )
    .fetch_all(connection)
    .await
    .map_err(unexpected)?;
    Ok(ended.into_iter().map(SessionId::from).collect())
}

/// The other live sessions, the oldest first: as many as can matter for one sign-in.
async fn live_others(
    connection: &mut PgConnection,
    new: &NewSession,
) -> Result<Vec<LiveSession>, Unexpected> {
    // A statement of its own: its snapshot is taken after the lock, and has what others committed meanwhile.
    let rows = sqlx::query_as!(
        LiveRow,
        r#"SELECT id, device_id, COALESCE(signed_in_from, ip_address) AS address, generation, rotated_at
         FROM sessions
         WHERE user_id = $1
             AND ended_at IS NULL
             AND expires_at > $2
             AND epoch = (SELECT session_epoch FROM users WHERE users.id = $1)
             AND id <> $3
         ORDER BY created_at, id
         LIMIT $4"#,
        Uuid::from(new.session.user_id),
        new.session.rotated_at,
        Uuid::from(new.session.id),
        i64::try_from(new.cap.beside_newest() + MAX_DISPLACED).unwrap_or(i64::MAX),
    )
    .fetch_all(connection)
    .await
    .map_err(unexpected)?;
    rows.into_iter().map(LiveSession::try_from).collect()
}

/// Owes the owner a word about it, unless they have had one of late. The lock on the account keeps two from being queued.
async fn tell(connection: &mut PgConnection, new: &NewSession) -> Result<Option<MailId>, Unexpected> {
    let (owner, now) = (Uuid::from(new.session.user_id), new.session.rotated_at);
    let was_told = sqlx::query_scalar!(
        r#"SELECT EXISTS (
             SELECT FROM outbox WHERE user_id = $1 AND kind = $2 AND queued_at > $3
         ) AS "was_told!""#,
        owner,
        MailKind::TooManySessions.as_str(),
        now - DISPLACEMENT_NOTICE_PERIOD,
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(unexpected)?;
    if was_told {
        return Ok(None);
    }
    let mail = MailId::generate(now);
    NewMail::notice(MailKind::TooManySessions, mail).queue(connection, owner, None, now).await?;
    Ok(Some(mail))
}

struct LiveRow {
    id: Uuid,
    device_id: Option<Uuid>,
    address: Option<String>,
    generation: i32,
    rotated_at: DateTime<Utc>,
}

impl TryFrom<LiveRow> for LiveSession {
    type Error = Unexpected;

    fn try_from(row: LiveRow) -> Result<Self, Unexpected> {
        let address = row.address.map(|text| text.parse().map_err(|_| corrupt("a network address")));
        let address: Option<IpAddr> = address.transpose()?;
        Ok(Self {
            id: row.id.into(),
            origin: SignInOrigin {
                device: row.device_id.map(Into::into),
                network: address.map(|address| ClientNetworks::of(address).widest()),
            },
            generation: row.generation.into(),
            last_used_at: row.rotated_at,
        })
    }
}
