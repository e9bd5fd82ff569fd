//! Sessions as their owner sees them.

use async_graphql::connection::PageInfo;
use async_graphql::{Context, ID, Result, SimpleObject};
use chrono::DateTime as Instant;
use uuid::Uuid;

use super::context::services;
use super::error::unexpected;
use super::global_id::GlobalId;
use super::paging::{self, Cursor, PageArguments};
use super::scalar::DateTime;
use crate::domain::{ListedSession, SessionId, SessionPlace, UserId};

/// One sign-in on one device.
#[derive(SimpleObject)]
pub(super) struct Session {
    /// Unique across all types; opaque to clients.
    #[graphql(owned)]
    pub(super) id: ID,
    /// A name for the device, derived from its user agent; `null` when it gave none that is known.
    device: Option<String>,
    /// The network address it was last used from; `null` when it is not known.
    ip_address: Option<String>,
    /// When its owner signed in.
    created_at: DateTime,
    /// When the session was last refreshed.
    last_used_at: DateTime,
    /// When it ends if it is not refreshed before.
    expires_at: DateTime,
    /// Whether it is the session this request was made with.
    current: bool,
}

/// A page of sessions, newest first.
#[derive(SimpleObject)]
pub(super) struct SessionConnection {
    /// The sessions of this page.
    edges: Vec<SessionEdge>,
    /// Where the page stands in the list.
    page_info: PageInfo,
}

/// A session in a page.
#[derive(SimpleObject)]
pub(super) struct SessionEdge {
    /// Its place, for `after` and `before`; opaque to clients.
    cursor: String,
    /// The session there.
    node: Session,
}

impl Session {
    /// `current` is the session that the request was made with.
    pub(super) fn new(session: &ListedSession, current: SessionId) -> Self {
        Self {
            id: GlobalId::Session(session.id).into(),
            device: session.device.name(),
            ip_address: session.device.address().map(|address| address.to_string()),
            created_at: DateTime(session.created_at),
            last_used_at: DateTime(session.last_used_at),
            expires_at: DateTime(session.expires_at),
            current: session.id == current,
        }
    }
}

/// The page of `owner`'s sessions that the arguments ask for.
pub(super) async fn list(
    ctx: &Context<'_>,
    owner: UserId,
    current: SessionId,
    arguments: &PageArguments,
) -> Result<SessionConnection> {
    let page = arguments.parse()?;
    let seen = services(ctx).sessions.list(owner, page).await.map_err(|error| unexpected(ctx, &error))?;
    let edge = |session: &ListedSession| SessionEdge {
        cursor: session.place().write(),
        node: Session::new(session, current),
    };
    let edges: Vec<SessionEdge> = seen.items.iter().map(edge).collect();
    let page_info = paging::page_info(&seen, &edges, |edge| &edge.cursor);
    Ok(SessionConnection { edges, page_info })
}

/// The instant in microseconds, which is how exactly it is stored, and the id.
impl Cursor for SessionPlace {
    fn text(&self) -> String {
        format!("{}.{}", self.created_at.timestamp_micros(), self.id)
    }

    fn parse(text: &str) -> Option<Self> {
        let (instant, id) = text.split_once('.')?;
        Some(Self {
            created_at: Instant::from_timestamp_micros(instant.parse().ok()?)?,
            id: Uuid::try_parse(id).ok()?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        let created_at = Instant::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let place = SessionPlace { created_at, id: SessionId::generate(created_at) };
        assert_eq!(SessionPlace::read(&place.write()), Some(place));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "nonsense", "1.2", "99999999999999999999.01890a5d-ac96-774b-bcce-b302099a8057"] {
            assert_eq!(SessionPlace::read(text), None);
            assert_eq!(SessionPlace::read(&URL_SAFE_NO_PAD.encode(text)), None, "{text}");
        }
    }
}
