//! Sessions as their owner sees them, and the pages of their list (Relay's cursor connections).

use async_graphql::connection::PageInfo;
use async_graphql::{Context, Error, ID, Result, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime as Instant;
use uuid::Uuid;

use super::context::services;
use super::error::{bad_user_input, unexpected};
use super::global_id::GlobalId;
use super::scalar::DateTime;
use crate::domain::{ListedSession, PageEnd, SessionId, SessionPage, SessionPlace, UserId};

/// How many sessions a page has at most, and how many it has when nothing is asked for.
const MAX_PAGE: u16 = 100;
const DEFAULT_PAGE: u16 = 20;

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

/// The arguments of a page, as they were given.
#[derive(Default)]
pub(super) struct PageArguments {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<String>,
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
        cursor: cursor(session.place()),
        node: Session::new(session, current),
    };
    let edges: Vec<SessionEdge> = seen.sessions.iter().map(edge).collect();
    let page_info = PageInfo {
        has_previous_page: seen.has_previous,
        has_next_page: seen.has_next,
        start_cursor: edges.first().map(|edge| edge.cursor.clone()),
        end_cursor: edges.last().map(|edge| edge.cursor.clone()),
    };
    Ok(SessionConnection { edges, page_info })
}

impl PageArguments {
    fn parse(&self) -> Result<SessionPage> {
        let (from, size) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(bad_user_input("Give either `first` or `last`, not both.")),
            (None, None) => (PageEnd::First, DEFAULT_PAGE),
            (Some(first), None) => (PageEnd::First, size("first", first)?),
            (None, Some(last)) => (PageEnd::Last, size("last", last)?),
        };
        let place = |name, cursor: &Option<String>| {
            cursor.as_deref().map(|cursor| read_cursor(cursor).ok_or_else(|| bad_cursor(name))).transpose()
        };
        let (after, before) = (place("after", &self.after)?, place("before", &self.before)?);
        Ok(SessionPage { after, before, from, size })
    }
}

fn size(name: &str, number: i32) -> Result<u16> {
    let size = u16::try_from(number).ok().filter(|size| *size <= MAX_PAGE);
    size.ok_or_else(|| bad_user_input(format!("`{name}` may be 0 to {MAX_PAGE}.")))
}

fn bad_cursor(name: &str) -> Error {
    bad_user_input(format!("`{name}` is no cursor of this list."))
}

/// The instant in microseconds, which is how exactly it is stored, and the id.
fn cursor(place: SessionPlace) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", place.created_at.timestamp_micros(), place.id))
}

fn read_cursor(cursor: &str) -> Option<SessionPlace> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (instant, id) = text.split_once('.')?;
    Some(SessionPlace {
        created_at: Instant::from_timestamp_micros(instant.parse().ok()?)?,
        id: Uuid::try_parse(id).ok()?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        let created_at = Instant::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let place = SessionPlace { created_at, id: SessionId::generate(created_at) };
        assert_eq!(read_cursor(&cursor(place)), Some(place));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "nonsense", "1.2", "99999999999999999999.01890a5d-ac96-774b-bcce-b302099a8057"] {
            assert_eq!(read_cursor(text), None);
            assert_eq!(read_cursor(&URL_SAFE_NO_PAD.encode(text)), None, "{text}");
        }
    }
}
