//! The pages of lists that grow (Relay's cursor connections).

use async_graphql::connection::PageInfo;
use async_graphql::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::bad_user_input;
use crate::domain::{Listing, Page, PageEnd};

/// How many a page has at most, and how many it has when nothing is asked for.
pub(super) const MAX_PAGE: u16 = 100;
pub(super) const DEFAULT_PAGE: u16 = 20;

/// A place in a list, for `after` and `before`. Clients get it in base64url, so that nobody builds one by hand.
pub(super) trait Cursor: Sized {
    /// What it is made of, within its list.
    fn text(&self) -> String;

    /// Reads [`text`](Self::text).
    fn parse(text: &str) -> Option<Self>;

    /// As clients get it.
    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.text())
    }

    /// Reads what a client gives back.
    fn read(cursor: &str) -> Option<Self> {
        Self::parse(&String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?)
    }
}

/// The arguments of a page, as they were given.
#[derive(Default)]
pub(super) struct PageArguments {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<String>,
}

impl PageArguments {
    /// The page that they ask for.
    pub(super) fn parse<P: Cursor>(&self) -> Result<Page<P>> {
        let (from, size) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(bad_user_input("Give either `first` or `last`, not both.")),
            (None, None) => (PageEnd::First, DEFAULT_PAGE),
            (Some(first), None) => (PageEnd::First, size("first", first)?),
            (None, Some(last)) => (PageEnd::Last, size("last", last)?),
        };
        let place = |name, cursor: &Option<String>| {
            cursor.as_deref().map(|cursor| P::read(cursor).ok_or_else(|| bad_cursor(name))).transpose()
        };
        let (after, before) = (place("after", &self.after)?, place("before", &self.before)?);
        Ok(Page { after, before, from, size })
    }
}

/// Where a page stands in its list.
pub(super) fn page_info<T, E>(listing: &Listing<T>, edges: &[E], cursor: impl Fn(&E) -> &String) -> PageInfo {
    PageInfo {
        has_previous_page: listing.has_previous,
        has_next_page: listing.has_next,
        start_cursor: edges.first().map(|edge| cursor(edge).clone()),
        end_cursor: edges.last().map(|edge| cursor(edge).clone()),
    }
}

fn size(name: &str, number: i32) -> Result<u16> {
    let size = u16::try_from(number).ok().filter(|size| *size <= MAX_PAGE);
    size.ok_or_else(|| bad_user_input(format!("`{name}` may be 0 to {MAX_PAGE}.")))
}

fn bad_cursor(name: &str) -> Error {
    bad_user_input(format!("`{name}` is no cursor of this list."))
}
