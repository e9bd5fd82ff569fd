//! Sessions as their owners see them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::{corrupt, unexpected};
use crate::domain::{DeviceInfo, ListedSession, Page, PageEnd, SessionId, SessionPlace, UserId};
use crate::ports::{SessionDirectory, Unexpected};

/// [`SessionDirectory`] in the table `sessions`.
pub struct PgSessionDirectory(pub(super) PgPool);

#[async_trait]
impl SessionDirectory for PgSessionDirectory {
    async fn list(
        &self,
        owner: UserId,
        page: Page<SessionPlace>,
        now: DateTime<Utc>,
    ) -> Result<Vec<ListedSession>, Unexpected> {
        match page.from {
            PageEnd::First => self.newest(owner, page, now).await,
            PageEnd::Last => {
                let mut sessions = self.oldest(owner, page, now).await?;
                sessions.reverse();
                Ok(sessions)
            }
        }
    }

    async fn find(
        &self,
        owner: UserId,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<ListedSession>, Unexpected> {
        let row = sqlx::query_as!(
            ListedRow,
            "SELECT id, user_agent, ip_address, created_at, rotated_at, expires_at
             FROM sessions
             WHERE id = $1
                 AND user_id = $2
                 AND ended_at IS NULL
                 AND expires_at > $3
                 AND epoch = (SELECT session_epoch FROM users WHERE users.id = $2)",
            Uuid::from(id),
            Uuid::from(owner),
            now,
        )
        .fetch_optional(&self.0)
        .await
        .map_err(unexpected)?;
        row.map(ListedSession::try_from).transpose()
    }
}

impl PgSessionDirectory {
    /// Infinities stand for cursors that are not given, so that the index is entered at the page and not at the list's end.
    async fn newest(
        &self,
        owner: UserId,
        page: Page<SessionPlace>,
        now: DateTime<Utc>,
    ) -> Result<Vec<ListedSession>, Unexpected> {
        let rows = sqlx::query_as!(
            ListedRow,
            "SELECT id, user_agent, ip_address, created_at, rotated_at, expires_at
             FROM sessions
             WHERE user_id = $1
                 AND ended_at IS NULL
                 AND expires_at > $2
                 AND epoch = (SELECT session_epoch FROM users WHERE users.id = $1)
                 AND (created_at, id) < (COALESCE($3, 'infinity'::timestamptz), $4::uuid)
                 AND (created_at, id) > (COALESCE($5, '-infinity'::timestamptz), $6::uuid)
             ORDER BY created_at DESC, id DESC
             LIMIT $7",
            Uuid::from(owner),
            now,
            page.after.map(|place| place.created_at),
            page.after.map(|place| Uuid::from(place.id)).unwrap_or_default(),
            page.before.map(|place| place.created_at),
            page.before.map(|place| Uuid::from(place.id)).unwrap_or_default(),
            i64::from(page.size),
        )
        .fetch_all(&self.0)
        .await
        .map_err(unexpected)?;
        rows.into_iter().map(ListedSession::try_from).collect()
    }

    /// The same from the other end.
    async fn oldest(
        &self,
        owner: UserId,
        page: Page<SessionPlace>,
        now: DateTime<Utc>,
    ) -> Result<Vec<ListedSession>, Unexpected> {
        let rows = sqlx::query_as!(
            ListedRow,
            "SELECT id, user_agent, ip_address, created_at, rotated_at, expires_at
             FROM sessions
             WHERE user_id = $1
                 AND ended_at IS NULL
                 AND expires_at > $2
                 AND epoch = (SELECT session_epoch FROM users WHERE users.id = $1)
                 AND (created_at, id) < (COALESCE($3, 'infinity'::timestamptz), $4::uuid)
                 AND (created_at, id) > (COALESCE($5, '-infinity'::timestamptz), $6::uuid)
             ORDER BY created_at, id
             LIMIT $7",
            Uuid::from(owner),
            now,
            page.after.map(|place| place.created_at),
            page.after.map(|place| Uuid::from(place.id)).unwrap_or_default(),
            page.before.map(|place| place.created_at),
            page.before.map(|place| Uuid::from(place.id)).unwrap_or_default(),
            i64::from(page.size),
        )
        .fetch_all(&self.0)
        .await
        .map_err(unexpected)?;
        rows.into_iter().map(ListedSession::try_from).collect()
    }
}

struct ListedRow {
    id: Uuid,
    user_agent: Option<String>,
    ip_address: Option<String>,
    created_at: DateTime<Utc>,
    rotated_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl TryFrom<ListedRow> for ListedSession {
    type Error = Unexpected;

    fn try_from(row: ListedRow) -> Result<Self, Unexpected> {
        let address = row.ip_address.map(|text| text.parse().map_err(|_| corrupt("a network address")));
        Ok(Self {
            id: row.id.into(),
            device: DeviceInfo::new(row.user_agent.as_deref(), address.transpose()?),
            created_at: row.created_at,
            last_used_at: row.rotated_at,
            expires_at: row.expires_at,
        })
    }
}
