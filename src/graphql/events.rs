//! What happened to an account, as its owner sees it.

use async_graphql::connection::PageInfo;
use async_graphql::{Context, Enum, ID, Result, SimpleObject};
use uuid::Uuid;

use super::context::services;
use super::error::unexpected;
use super::global_id::GlobalId;
use super::paging::{self, Cursor, PageArguments};
use super::scalar::DateTime;
use crate::domain::{self, EventId, UserId};

/// Something that happened to an account, and that its owner may have to look into.
#[derive(SimpleObject)]
pub(super) struct SecurityEvent {
    /// Unique across all types; opaque to clients.
    #[graphql(owned)]
    pub(super) id: ID,
    /// What happened.
    kind: SecurityEventKind,
    /// Whether it was done, or refused.
    outcome: SecurityEventOutcome,
    /// When it happened; the last time, if `count` is more than one.
    created_at: DateTime,
    /// How often it happened. When the same happens again and again, with the same session, on the same device and from the same
    /// address, it stays one event for a day, and is counted here.
    count: i32,
    /// A name for the device it was done on, derived from its user agent; `null` when it gave none that is known.
    device: Option<String>,
    /// The network address it was done from; `null` when it is not known, and when an operator did it.
    ip_address: Option<String>,
    /// The `id` of the session it was done with, or to; `null` when there was none. The session may have ended since:
    /// then `node` finds nothing.
    session_id: Option<ID>,
}

/// A page of events, newest first.
#[derive(SimpleObject)]
pub(super) struct SecurityEventConnection {
    /// The events of this page.
    edges: Vec<SecurityEventEdge>,
    /// Where the page stands in the list.
    page_info: PageInfo,
}

/// An event in a page.
#[derive(SimpleObject)]
pub(super) struct SecurityEventEdge {
    /// Its place, for `after` and `before`; opaque to clients.
    cursor: String,
    /// The event there.
    node: SecurityEvent,
}

/// How something ended.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::EventOutcome")]
pub(super) enum SecurityEventOutcome {
    /// It was done.
    Succeeded,
    /// It was refused, and nothing of it was done.
    Refused,
}

/// What happened to an account. Values may be added: keep a default branch.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "domain::EventKind")]
pub(super) enum SecurityEventKind {
    /// The account was made.
    Registered,
    /// Somebody tried to register its address once more.
    RegistrationRepeated,
    /// Its address was confirmed.
    EmailVerified,
    /// Somebody signed in.
    LoggedIn,
    /// Somebody tried to sign in with a wrong password, or while the account was shut.
    LoginFailed,
    /// Somebody tried to sign in with the right password before the address was confirmed.
    LoginHeldBack,
    /// A refresh token came whose session had ended.
    RefreshRefused,
    /// A refresh token came back after its successor had been used, so its session was ended: somebody may have copied it.
    RefreshTokenReused,
    /// A session was ended with its own tokens.
    LoggedOut,
    /// Every session was ended, with the tokens of this one.
    LoggedOutEverywhere,
    /// A session was ended from another one.
    SessionRevoked,
    /// A session was ended because a new sign-in made one too many. `device` and `ipAddress` are those of the sign-in.
    SessionDisplaced,
    /// An operator ended every session of every account.
    SessionEndedByOperator,
    /// There were too many attempts.
    Throttled,
    /// Somebody who was signed in gave a wrong password for something that needs it.
    PasswordWrong,
    /// A mail with a link to set a new password was asked for.
    PasswordResetRequested,
    /// A new password was set with that link, and every session ended.
    PasswordReset,
    /// A new password was set with the one before, and every other session ended.
    PasswordChanged,
    /// A mail with a link to move to another address was asked for.
    EmailChangeRequested,
    /// The account moved to another address.
    EmailChanged,
    /// Its name or language was changed.
    ProfileChanged,
    /// An operator added the account.
    AccountAdded,
    /// An operator shut the account, and every session ended.
    AccountDisabled,
    /// An operator opened the account again.
    AccountEnabled,
    /// The account was deleted.
    AccountDeleted,
    /// A signing key was published. Of no account.
    SigningKeyAdded,
    /// A signing key was told to begin earlier than planned. Of no account.
    SigningKeyHastened,
    /// A signing key was taken away. Of no account.
    SigningKeyRetired,
}

impl From<&domain::SecurityEvent> for SecurityEvent {
    fn from(event: &domain::SecurityEvent) -> Self {
        Self {
            id: GlobalId::SecurityEvent(event.id).into(),
            kind: event.kind.into(),
            outcome: event.kind.outcome().into(),
            created_at: DateTime(event.occurred_at),
            count: i32::try_from(event.times).unwrap_or(i32::MAX),
            device: event.device.name(),
            ip_address: event.device.address().map(|address| address.to_string()),
            session_id: event.session_id.map(|id| GlobalId::Session(id).into()),
        }
    }
}

/// The page of the events of `owner` that the arguments ask for.
pub(super) async fn list(
    ctx: &Context<'_>,
    owner: UserId,
    arguments: &PageArguments,
) -> Result<SecurityEventConnection> {
    let page = arguments.parse()?;
    let seen = services(ctx).events.list(owner, page).await.map_err(|error| unexpected(ctx, &error))?;
    let edge =
        |event: &domain::SecurityEvent| SecurityEventEdge { cursor: event.id.write(), node: event.into() };
    let edges: Vec<SecurityEventEdge> = seen.items.iter().map(edge).collect();
    let page_info = paging::page_info(&seen, &edges, |edge| &edge.cursor);
    Ok(SecurityEventConnection { edges, page_info })
}

/// The order of the ids is that of time.
impl Cursor for EventId {
    fn text(&self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self::from)
    }
}
