//! Sessions in Postgres. Every race about a session ends at its row.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::{session_endings, session_ends, session_starts, unexpected};
use crate::domain::{
    Caller, DeviceInfo, Generation, LoginRequirement, RefreshToken, RotationPolicy, Session, SessionEnd,
    SessionId, Verdict,
};
use crate::ports::{EndCursor, EndedBatch, NewSession, Rotation, Sessions, Started, Unexpected};

/// [`Sessions`] in the table `sessions`.
pub struct PgSessions(pub(super) PgPool);

/// How often a verdict may be overtaken by another request on the same session before this one is told to come back.
const MAX_ROUNDS: u32 = 8;

#[async_trait]
impl Sessions for PgSessions {
    async fn start(&self, new: &NewSession, caller: &Caller) -> Result<Option<Started>, Unexpected> {
        session_starts::start(&self.0, new, caller).await
    }

    async fn rotate(
        &self,
        presented: RefreshToken,
        caller: &Caller,
        policy: RotationPolicy,
        now: DateTime<Utc>,
    ) -> Result<Rotation, Unexpected> {
        for _ in 0..MAX_ROUNDS {
            if let Some(session) = self.advance(presented, &caller.device, policy, now).await? {
                return Ok(Rotation::Rotated(session));
            }
            let found = self.find_active(presented.session_id, policy.requirement).await?;
            let Some(session) = found else {
                return Ok(Rotation::Refused);
            };
            match session.judge(presented.generation, policy, now) {
                Verdict::Replay => return Ok(Rotation::Replayed(session)),
                Verdict::Refuse => return Ok(Rotation::Refused),
                Verdict::Reuse => {
                    if let Some(mail) = session_ends::end_reused(&self.0, &session, caller, now).await? {
                        return Ok(Rotation::Reused(session, mail));
                    }
                }
                // Another instance, with a clock behind ours, has just stored this generation.
                Verdict::Rotate => {}
            }
        }
        Err(Unexpected::unavailable("the session", "its row kept changing"))
    }

    async fn end(
        &self,
        id: SessionId,
        reason: SessionEnd,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>, Unexpected> {
        session_ends::end(&self.0, id, reason, caller, now).await
    }

    async fn end_siblings(
        &self,
        id: SessionId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<EndedBatch, Unexpected> {
        session_endings::end_siblings(&self.0, id, caller, now).await
    }

    async fn is_live(&self, id: SessionId, now: DateTime<Utc>) -> Result<bool, Unexpected> {
        let found = self.find_active(id, LoginRequirement::Any).await?;
        Ok(found.is_some_and(|session| session.is_live(now)))
    }

    async fn note_seen(&self, sightings: &[(SessionId, Generation)]) -> Result<(), Unexpected> {
        let (ids, generations): (Vec<Uuid>, Vec<i32>) =
            sightings.iter().map(|(id, generation)| (Uuid::from(*id), i32::from(*generation))).unzip();
        sqlx::query!(
            // Rows are locked in the order of their ids, as wherever several are: nobody waits crosswise.
            "WITH newer AS (
                 SELECT sessions.id, seen.generation
                 FROM sessions
                 JOIN unnest($1::uuid[], $2::integer[]) AS seen (id, generation) ON seen.id = sessions.id
                 WHERE seen_generation < seen.generation
                 ORDER BY sessions.id
                 FOR UPDATE OF sessions
             )
             UPDATE sessions
             SET seen_generation = newer.generation
             FROM newer
             WHERE sessions.id = newer.id",
            &ids,
            &generations,
        )
        .execute(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(())
    }

    async fn ended_since(
        &self,
        cursor: Option<EndCursor>,
    ) -> Result<(Vec<SessionId>, EndCursor), Unexpected> {
        session_ends::ended_since(&self.0, cursor).await
    }
}

impl PgSessions {
    /// The common case of a refresh, in one statement: the newest token is swapped for its successor.
    async fn advance(
        &self,
        presented: RefreshToken,
        device: &DeviceInfo,
        policy: RotationPolicy,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, Unexpected> {
        let row = sqlx::query_as!(
            SessionRow,
            r#"UPDATE sessions
             SET generation = generation + 1,
                 rotated_at = $3,
                 rotation_recorded_at = clock_timestamp(),
                 expires_at = LEAST($4, absolute_expires_at),
                 user_agent = COALESCE($5, user_agent),
                 ip_address = COALESCE($6, ip_address)
             WHERE id = $1
                 AND generation = $2
                 AND ended_at IS NULL
                 AND expires_at > $3
                 AND EXISTS (
                     SELECT FROM users
                     WHERE users.id = user_id
                         AND disabled_at IS NULL
                         AND session_epoch = epoch
                         AND (email_verified_at IS NOT NULL OR NOT $7)
                 )
             RETURNING id, user_id, generation, seen_generation, rotated_at, expires_at, absolute_expires_at,
                 ended_at, 0::float8 AS "seconds_since_rotation!""#,
            Uuid::from(presented.session_id),
            i32::from(presented.generation),
            now,
            now + policy.idle,
            device.user_agent(),
            device.address().map(|address| address.to_string()),
            policy.requirement == LoginRequirement::VerifiedEmail,
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(row.map(Session::from))
    }

    /// The session, if its account is active and has what is required.
    async fn find_active(
        &self,
        id: SessionId,
        requirement: LoginRequirement,
    ) -> Result<Option<Session>, Unexpected> {
        let row = sqlx::query_as!(
            SessionRow,
            r#"SELECT sessions.id, user_id, generation, seen_generation, rotated_at, expires_at,
                 absolute_expires_at,
                 ended_at,
                 extract(epoch FROM clock_timestamp() - rotation_recorded_at)::float8 AS "seconds_since_rotation!"
             FROM sessions
             JOIN users ON users.id = user_id
             WHERE sessions.id = $1
                 AND disabled_at IS NULL
                 AND epoch = session_epoch
                 AND (email_verified_at IS NOT NULL OR NOT $2)"#,
            Uuid::from(id),
            requirement == LoginRequirement::VerifiedEmail,
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        Ok(row.map(Session::from))
    }
}

struct SessionRow {
    id: Uuid,
    user_id: Uuid,
    generation: i32,
    seen_generation: i32,
    rotated_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    absolute_expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    seconds_since_rotation: f64,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id.into(),
            user_id: row.user_id.into(),
            generation: row.generation.into(),
            seen_generation: row.seen_generation.into(),
            rotated_at: row.rotated_at,
            rotated_for: Duration::try_from_secs_f64(row.seconds_since_rotation).unwrap_or_default(),
            expires_at: row.expires_at,
            absolute_expires_at: row.absolute_expires_at,
            ended_at: row.ended_at,
        }
    }
}
