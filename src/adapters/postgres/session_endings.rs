//! Ending all sessions of an account in Postgres, however many there are.
//!
//! First the epoch of the account is raised, in the transaction of what ends them: from then on they are dead. Their rows are
//! ended in steps of a limited size, which lock the account first and then the sessions, in the order of their ids. While some
//! are left, `users.ending_sessions` says why.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::again::again;
use super::{corrupt, events, unexpected};
use crate::domain::{Caller, EventId, EventKind, SessionEnd, SessionId, UserId};
use crate::ports::{EndedBatch, EndingPlace, OwedEnds, SessionEndings, Unexpected};

/// How many rows one step changes: the work of a fraction of a second.
const BATCH: i64 = 2000;
/// How many accounts are looked for at once.
const ACCOUNTS: i64 = 100;

/// [`SessionEndings`] in the tables `users` and `sessions`.
pub struct PgSessionEndings(pub(super) PgPool);

/// What a step needs to know of the account, whose row is locked.
#[derive(Clone, Copy)]
struct Work {
    owner: Uuid,
    epoch: i32,
    reason: SessionEnd,
    /// The session that goes on, if one does.
    but: Option<SessionId>,
    /// Whether the epoch is still that of the account: only then the work ends with the last session.
    is_newest: bool,
}

#[async_trait]
impl SessionEndings for PgSessionEndings {
    async fn go_on(&self, owed: OwedEnds, now: DateTime<Utc>) -> Result<EndedBatch, Unexpected> {
        let owner = Uuid::from(owed.owner);
        again(|| async {
            let mut transaction = self.0.begin().await.map_err(unexpected)?;
            let account = sqlx::query!(
                "SELECT session_epoch, ending_sessions
                 FROM users
                 WHERE id = $1
                 FOR NO KEY UPDATE",
                owner,
            )
            .fetch_optional(&mut *transaction)
            .await
            .map_err(unexpected)?;
            let reason = account.as_ref().and_then(|account| account.ending_sessions.as_deref());
            // Somebody else has done it.
            let (Some(account), Some(reason)) = (&account, reason) else { return Ok(EndedBatch::default()) };
            let work = Work {
                owner,
                epoch: owed.epoch,
                reason: SessionEnd::parse(reason).ok_or_else(|| corrupt("why sessions end"))?,
                but: None,
                is_newest: account.session_epoch == owed.epoch,
            };
            let batch = step(&mut transaction, work, owed.place, now).await?;
            if batch.rest.is_none() && work.is_newest {
                note(&mut transaction, owner, None).await?;
            }
            transaction.commit().await.map_err(unexpected)?;
            Ok(batch)
        })
        .await
    }

    async fn owed(&self) -> Result<Vec<OwedEnds>, Unexpected> {
        let rows = sqlx::query!(
            "SELECT id, session_epoch
             FROM users
             WHERE ending_sessions IS NOT NULL
             ORDER BY id
             LIMIT $1",
            ACCOUNTS,
        )
        .fetch_all(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(rows.into_iter().map(|row| owed(row.id, row.session_epoch)).collect())
    }
}

/// All sessions of an account that are older than the epoch.
pub(super) fn owed(owner: Uuid, epoch: i32) -> OwedEnds {
    OwedEnds { owner: owner.into(), epoch, place: EndingPlace::Sessions(None) }
}

/// Kills the sessions of an account, but for one, inside of the transaction of what ends them, and ends the first rows. Shuts
/// an account that is to be disabled or deleted. Deletes the latter where nothing is left to do before; so its event comes
/// first.
pub(super) async fn begin(
    connection: &mut PgConnection,
    owner: Uuid,
    but: Option<SessionId>,
    reason: SessionEnd,
    now: DateTime<Utc>,
) -> Result<EndedBatch, Unexpected> {
    let epoch = sqlx::query_scalar!(
        "UPDATE users
         SET session_epoch = session_epoch + 1,
             disabled_at = CASE WHEN $2 THEN COALESCE(disabled_at, $3) ELSE disabled_at END
         WHERE id = $1
         RETURNING session_epoch",
        owner,
        matches!(reason, SessionEnd::Disabled | SessionEnd::Deleted),
        now,
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(unexpected)?;
    let work = Work { owner, epoch, reason, but, is_newest: true };
    let batch = step(&mut *connection, work, EndingPlace::Sessions(None), now).await?;
    if let Some(but) = but {
        // Locked after those with smaller ids, as wherever several are.
        sqlx::query!(
            "UPDATE sessions SET epoch = $3 WHERE id = $1 AND user_id = $2",
            Uuid::from(but),
            owner,
            epoch,
        )
        .execute(&mut *connection)
        .await
        .map_err(unexpected)?;
    }
    note(connection, owner, batch.rest.map(|_| reason)).await?;
    Ok(batch)
}

/// Ends all sessions of the account of this one, for a logout. Where it has ended, goes on with an end that is under way.
pub(super) async fn end_siblings(
    pool: &PgPool,
    id: SessionId,
    caller: &Caller,
    now: DateTime<Utc>,
) -> Result<EndedBatch, Unexpected> {
    again(|| async {
        let mut transaction = pool.begin().await.map_err(unexpected)?;
        let account = sqlx::query!(
            r#"SELECT users.id, session_epoch, ending_sessions IS NOT NULL AS "is_ending!",
                 ended_at IS NULL AND expires_at > $2 AND epoch = session_epoch AS "is_live!"
             FROM sessions
             JOIN users ON users.id = user_id
             WHERE sessions.id = $1
             FOR NO KEY UPDATE OF users"#,
            Uuid::from(id),
            now,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(unexpected)?;
        let Some(account) = account else { return Ok(EndedBatch::default()) };
        if !account.is_live {
            let rest = account.is_ending.then(|| owed(account.id, account.session_epoch));
            return Ok(EndedBatch { rest, ..EndedBatch::default() });
        }
        let batch = begin(&mut transaction, account.id, None, SessionEnd::Logout, now).await?;
        let kind = EventKind::LoggedOutEverywhere;
        events::leave(&mut transaction, kind, account.id, Some(id), caller, now).await?;
        transaction.commit().await.map_err(unexpected)?;
        Ok(batch)
    })
    .await
}

/// One step from `place` on. The account is locked.
async fn step(
    connection: &mut PgConnection,
    work: Work,
    place: EndingPlace,
    now: DateTime<Utc>,
) -> Result<EndedBatch, Unexpected> {
    let mut batch = EndedBatch::default();
    let rest = |place| Some(OwedEnds { owner: UserId::from(work.owner), epoch: work.epoch, place });
    let after = match place {
        EndingPlace::Sessions(after) => {
            if let Some(last) = end_next(connection, work, after, now, &mut batch).await? {
                batch.rest = rest(EndingPlace::Sessions(Some(last)));
                return Ok(batch);
            }
            None
        }
        EndingPlace::Events(after) => after,
    };
    if work.reason != SessionEnd::Deleted || !work.is_newest {
        return Ok(batch);
    }
    if let Some(last) = forget_next_events(connection, work.owner, after).await? {
        batch.rest = rest(EndingPlace::Events(Some(last)));
        return Ok(batch);
    }
    // A trigger forgets what is personal elsewhere.
    sqlx::query!("DELETE FROM users WHERE id = $1", work.owner)
        .execute(connection)
        .await
        .map_err(unexpected)?;
    Ok(batch)
}

/// Ends the next sessions, and forgets what is personal in them where the account goes. Answers the last one if there may be
/// more.
async fn end_next(
    connection: &mut PgConnection,
    work: Work,
    after: Option<SessionId>,
    now: DateTime<Utc>,
    batch: &mut EndedBatch,
) -> Result<Option<SessionId>, Unexpected> {
    let is_deleted = work.reason == SessionEnd::Deleted;
    // An access token may be about, unless the only ones were issued at the start, and have expired: then nobody needs to be
    // told. Any other session may have issued one for a repeated refresh, which leaves no trace.
    //
    // `end_reason` is NULL where `ended_at` is. Asked for the latter, Postgres may take the index of live sessions, and sorts all
    // that are left at each step.
    let next = sqlx::query!(
        r#"SELECT id,
             ended_at IS NULL AND expires_at > $5 AS "was_live!",
             generation > 1 OR rotation_recorded_at > clock_timestamp() - interval '20 minutes' AS "is_met!"
         FROM sessions
         WHERE user_id = $1
             AND id > $2
             AND (
                 (end_reason IS NULL AND epoch < $3)
                 OR ($4 AND num_nonnulls(user_agent, ip_address, signed_in_from, device_id) > 0)
             )
         ORDER BY id
         LIMIT $6
         FOR UPDATE"#,
        work.owner,
        after.map_or(Uuid::nil(), Uuid::from),
        work.epoch,
        is_deleted,
        now,
        BATCH,
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(unexpected)?;
    let ids: Vec<Uuid> =
        next.iter().map(|row| row.id).filter(|id| work.but != Some(SessionId::from(*id))).collect();
    sqlx::query!(
        "UPDATE sessions
         SET ended_at = COALESCE(ended_at, $2),
             end_reason = COALESCE(end_reason, $3),
             user_agent = CASE WHEN NOT $4 THEN user_agent END,
             ip_address = CASE WHEN NOT $4 THEN ip_address END,
             signed_in_from = CASE WHEN NOT $4 THEN signed_in_from END,
             device_id = CASE WHEN NOT $4 THEN device_id END
         WHERE id = ANY($1)",
        &ids,
        now,
        work.reason.as_str(),
        is_deleted,
    )
    .execute(connection)
    .await
    .map_err(unexpected)?;
    let live = next.iter().filter(|row| row.was_live && work.but != Some(SessionId::from(row.id)));
    batch.count = live.clone().count();
    batch.to_announce = live.filter(|row| row.is_met).map(|row| row.id.into()).collect();
    Ok(last_of_full(next.iter().map(|row| row.id)).map(SessionId::from))
}

/// Forgets what is personal in the next events. Answers the last one if there may be more.
async fn forget_next_events(
    connection: &mut PgConnection,
    owner: Uuid,
    after: Option<EventId>,
) -> Result<Option<EventId>, Unexpected> {
    let ids = sqlx::query_scalar!(
        "SELECT id
         FROM security_events
         WHERE user_id = $1 AND id > $2 AND num_nonnulls(ip_address, user_agent, request_id) > 0
         ORDER BY id
         LIMIT $3",
        owner,
        after.map_or(Uuid::nil(), Uuid::from),
        BATCH,
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(unexpected)?;
    sqlx::query!(
        "UPDATE security_events
         SET ip_address = NULL, user_agent = NULL, request_id = NULL
         WHERE id = ANY($1)",
        &ids,
    )
    .execute(connection)
    .await
    .map_err(unexpected)?;
    Ok(last_of_full(ids.into_iter()).map(EventId::from))
}

/// Says why sessions of the account are still to be ended, or that none are.
async fn note(
    connection: &mut PgConnection,
    owner: Uuid,
    reason: Option<SessionEnd>,
) -> Result<(), Unexpected> {
    sqlx::query!(
        "UPDATE users
         SET ending_sessions = $2
         WHERE id = $1 AND ending_sessions IS DISTINCT FROM $2",
        owner,
        reason.map(SessionEnd::as_str),
    )
    .execute(connection)
    .await
    .map_err(unexpected)?;
    Ok(())
}

/// The last of as many as a step takes.
fn last_of_full(ids: impl ExactSizeIterator<Item = Uuid>) -> Option<Uuid> {
    if i64::try_from(ids.len()).is_ok_and(|count| count >= BATCH) { ids.last() } else { None }
}
