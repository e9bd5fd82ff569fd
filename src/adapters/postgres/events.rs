//! Security events in Postgres.
//!
//! An event is only ever written together with a lock on its account's row, or on that of a session, which a deletion waits
//! for: so `forget_user` finds it, and nothing personal outlives an account.
//!
//! Equal events in a row are one row. The function `record_security_event` does that for all but the events of a session that
//! begins or ends, each of which is about another session.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{corrupt, unexpected};
use crate::domain::{
    Caller, DeviceInfo, EventFilter, EventId, EventKind, EventSubject, KeyId, Page, PageEnd, RequestId,
    SecurityEvent, SessionId, UserId,
};
use crate::ports::{NotedEvent, SecurityEvents, Unexpected};

/// How long equal events in a row are counted in one row, from the first of them. A person sees a new row each day, and what is
/// looked for by time is found a day below its id.
const COUNTED_TOGETHER: TimeDelta = TimeDelta::days(1);

/// [`SecurityEvents`] in the table `security_events`.
pub struct PgSecurityEvents(pub(super) PgPool);

/// Leaves an event of an account, inside of the transaction of what it tells.
pub(super) async fn leave(
    connection: &mut PgConnection,
    kind: EventKind,
    owner: Uuid,
    session: Option<SessionId>,
    caller: &Caller,
    now: DateTime<Utc>,
) -> Result<(), Unexpected> {
    sqlx::query!(
        "SELECT record_security_event($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10)",
        Uuid::from(EventId::generate(now)),
        oldest_row(now),
        owner,
        session.map(Uuid::from),
        kind.as_str(),
        kind.outcome().as_str(),
        now,
        address(caller),
        caller.device.user_agent(),
        caller.request_id.as_ref().map(RequestId::as_str),
    )
    .execute(connection)
    .await
    .map_err(unexpected)?;
    Ok(())
}

/// The least id of a row that an event of this time may still be counted in.
pub(super) fn oldest_row(now: DateTime<Utc>) -> Uuid {
    EventId::earliest(now.checked_sub_signed(COUNTED_TOGETHER).unwrap_or(now)).into()
}

/// The address of a caller as it is stored.
pub(super) fn address(caller: &Caller) -> Option<String> {
    caller.device.address().map(|address| address.to_string())
}

/// The kinds that this version has words for. A later one may have left others.
fn known_kinds() -> Vec<&'static str> {
    EventKind::ALL.into_iter().map(EventKind::as_str).collect()
}

#[async_trait]
impl SecurityEvents for PgSecurityEvents {
    async fn record(&self, noted: &[NotedEvent]) -> Result<(), Unexpected> {
        let columns = Columns::of(noted);
        sqlx::query!(
            "SELECT record_security_event(noted.id, oldest_row, users.id, noted.session_id, kind, outcome, occurred_at, times,
                 ip_address, user_agent, request_id)
             FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[],
                 $8::timestamptz[], $9::integer[], $10::text[], $11::text[], $12::text[])
                 AS noted (id, oldest_row, user_id, email_canonical, session_id, kind, outcome, occurred_at, times,
                     ip_address, user_agent, request_id)
             JOIN users ON users.id = COALESCE(
                 noted.user_id,
                 (SELECT users.id FROM users WHERE users.email_canonical = noted.email_canonical),
                 (SELECT sessions.user_id FROM sessions WHERE sessions.id = noted.session_id)
             )
             ORDER BY users.id, noted.id",
            &columns.id,
            &columns.oldest_row,
            &columns.user_id as &[Option<Uuid>],
            &columns.email_canonical as &[Option<String>],
            &columns.session_id as &[Option<Uuid>],
            &columns.kind as &[&str],
            &columns.outcome as &[&str],
            &columns.occurred_at,
            &columns.times,
            &columns.ip_address as &[Option<String>],
            &columns.user_agent as &[Option<&str>],
            &columns.request_id as &[Option<&str>],
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(())
    }

    async fn list(&self, owner: UserId, page: Page<EventId>) -> Result<Vec<SecurityEvent>, Unexpected> {
        let (after, before) =
            (page.after.map_or(Uuid::max(), Uuid::from), page.before.map_or(Uuid::nil(), Uuid::from));
        let known = known_kinds();
        let rows = match page.from {
            PageEnd::First => {
                sqlx::query_as!(
                    EventRow,
                    "SELECT id, kind, occurred_at, times, user_id, session_id, key_id, ip_address, user_agent, request_id
                     FROM security_events
                     WHERE user_id = $1 AND id < $2 AND id > $3 AND kind = ANY($5)
                     ORDER BY id DESC
                     LIMIT $4",
                    Uuid::from(owner),
                    after,
                    before,
                    i64::from(page.size),
                    &known as &[&str],
                )
                .fetch_all(&self.0)
                .await
            }
            PageEnd::Last => {
                sqlx::query_as!(
                    EventRow,
                    "SELECT id, kind, occurred_at, times, user_id, session_id, key_id, ip_address, user_agent, request_id
                     FROM security_events
                     WHERE user_id = $1 AND id < $2 AND id > $3 AND kind = ANY($5)
                     ORDER BY id
                     LIMIT $4",
                    Uuid::from(owner),
                    after,
                    before,
                    i64::from(page.size),
                    &known as &[&str],
                )
                .fetch_all(&self.0)
                .await
                .map(|mut rows| {
                    rows.reverse();
                    rows
                })
            }
        };
        rows.map_err(unexpected)?.into_iter().map(SecurityEvent::try_from).collect()
    }

    async fn find(&self, owner: UserId, id: EventId) -> Result<Option<SecurityEvent>, Unexpected> {
        let row = sqlx::query_as!(
            EventRow,
            "SELECT id, kind, occurred_at, times, user_id, session_id, key_id, ip_address, user_agent, request_id
             FROM security_events
             WHERE id = $1 AND user_id = $2",
            Uuid::from(id),
            Uuid::from(owner),
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        row.map(SecurityEvent::try_from).transpose()
    }

    async fn search(&self, filter: &EventFilter) -> Result<Vec<SecurityEvent>, Unexpected> {
        let (mut user_id, mut email, mut session_id) = (None, None, None);
        match &filter.account {
            Some(EventSubject::Account(id)) => user_id = Some(Uuid::from(*id)),
            Some(EventSubject::Address(address)) => email = Some(address.canonical()),
            Some(EventSubject::Session(id)) => session_id = Some(Uuid::from(*id)),
            Some(EventSubject::Unknown) | None => {}
        }
        let kinds = filter.kind.map_or_else(known_kinds, |kind| vec![kind.as_str()]);
        let rows = sqlx::query_as!(
            EventRow,
            "SELECT id, kind, occurred_at, times, user_id, session_id, key_id, ip_address, user_agent, request_id
             FROM security_events
             WHERE ($1::uuid IS NULL OR user_id = $1)
                 AND ($2::text IS NULL OR user_id = (SELECT users.id FROM users WHERE email_canonical = $2))
                 AND ($3::uuid IS NULL OR session_id = $3)
                 AND kind = ANY($4)
                 AND id >= $5
                 AND ($6::timestamptz IS NULL OR occurred_at >= $6)
             ORDER BY id DESC
             LIMIT $7",
            user_id,
            email,
            session_id,
            &kinds as &[&str],
            filter.since.map_or(Uuid::nil(), oldest_row),
            filter.since,
            i64::from(filter.limit),
        )
        .fetch_all(&self.0)
        .await
        .map_err(unexpected)?;
        rows.into_iter().map(SecurityEvent::try_from).collect()
    }
}

/// Noted events by column, as one statement takes them.
#[derive(Default)]
struct Columns<'a> {
    id: Vec<Uuid>,
    oldest_row: Vec<Uuid>,
    user_id: Vec<Option<Uuid>>,
    email_canonical: Vec<Option<String>>,
    session_id: Vec<Option<Uuid>>,
    kind: Vec<&'a str>,
    outcome: Vec<&'a str>,
    occurred_at: Vec<DateTime<Utc>>,
    times: Vec<i32>,
    ip_address: Vec<Option<String>>,
    user_agent: Vec<Option<&'a str>>,
    request_id: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(noted: &'a [NotedEvent]) -> Self {
        let mut columns = Self::default();
        for event in noted {
            let (mut user_id, mut email, mut session_id) = (None, None, None);
            match &event.subject {
                EventSubject::Account(id) => user_id = Some(Uuid::from(*id)),
                EventSubject::Address(address) => email = Some(address.canonical()),
                EventSubject::Session(id) => session_id = Some(Uuid::from(*id)),
                EventSubject::Unknown => {}
            }
            columns.id.push(EventId::generate(event.occurred_at).into());
            columns.oldest_row.push(oldest_row(event.occurred_at));
            columns.user_id.push(user_id);
            columns.email_canonical.push(email);
            columns.session_id.push(session_id);
            columns.kind.push(event.kind.as_str());
            columns.outcome.push(event.kind.outcome().as_str());
            columns.occurred_at.push(event.occurred_at);
            columns.times.push(i32::try_from(event.times).unwrap_or(i32::MAX));
            columns.ip_address.push(address(&event.caller));
            columns.user_agent.push(event.caller.device.user_agent());
            columns.request_id.push(event.caller.request_id.as_ref().map(RequestId::as_str));
        }
        columns
    }
}

struct EventRow {
    id: Uuid,
    kind: String,
    occurred_at: DateTime<Utc>,
    times: i32,
    user_id: Option<Uuid>,
    session_id: Option<Uuid>,
    key_id: Option<String>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
}

impl TryFrom<EventRow> for SecurityEvent {
    type Error = Unexpected;

    fn try_from(row: EventRow) -> Result<Self, Unexpected> {
        let address = row.ip_address.map(|text| text.parse().map_err(|_| corrupt("a network address")));
        let key_id =
            row.key_id.map(|kid| KeyId::parse(&kid).ok_or_else(|| corrupt("the kid of a signing key")));
        Ok(Self {
            id: row.id.into(),
            kind: EventKind::parse(&row.kind).ok_or_else(|| corrupt("the kind of an event"))?,
            occurred_at: row.occurred_at,
            times: u32::try_from(row.times).map_err(|_| corrupt("how often an event happened"))?,
            user_id: row.user_id.map(UserId::from),
            session_id: row.session_id.map(SessionId::from),
            key_id: key_id.transpose()?,
            device: DeviceInfo::new(row.user_agent.as_deref(), address.transpose()?),
            request_id: row.request_id.as_deref().and_then(RequestId::new),
        })
    }
}
