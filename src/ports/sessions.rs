//! Sessions, and how their ends become known.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{EndedBatch, Unexpected};
use crate::domain::{
    Caller, DeviceId, Generation, ListedSession, MailId, Page, PasswordVersion, RefreshToken, RotationPolicy,
    Session, SessionCap, SessionEnd, SessionId, SessionPlace, UserId,
};

/// A session that is to begin.
#[derive(Debug)]
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// Which password of the account was checked.
    pub checked: PasswordVersion,
    /// The device that it begins on, where that is known.
    pub device: Option<DeviceId>,
    /// How many live sessions the account may have, this one included.
    pub cap: SessionCap,
}

/// A session has begun.
#[derive(Debug)]
#[must_use]
pub struct Started {
    /// The sessions that were ended to make room for it.
    pub displaced: Vec<SessionId>,
    /// The mail that its owner is owed about that.
    pub notice: Option<MailId>,
}

/// What presenting a refresh token did.
#[derive(Debug)]
pub enum Rotation {
    /// The session is in its next generation.
    Rotated(Session),
    /// Nothing changed: the generation presented was followed by the session's present one a moment ago.
    Replayed(Session),
    /// The session has just been ended, because the token had been used before; its owner is owed this mail.
    Reused(Session, MailId),
    /// Nothing changed: there is no such session, or it has ended.
    Refused,
}

/// Sessions. Their rows are the truth about who is signed in.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Stores a new session. [`Unexpected`] unless it is durable. `None`, and nothing is stored, where the account is shut or
    /// gone, or its password is no longer the one that was checked: MUST be settled by one statement, so that no session
    /// survives a change of the password that it was opened with. Leaves [`EventKind::LoggedIn`].
    ///
    /// Sessions over the cap end in the same transaction, those that [`SessionCap::displaced`] says; each has an event, and
    /// their owner is owed one mail in [`DISPLACEMENT_NOTICE_PERIOD`]. Parallel calls, on any number of instances, MUST NOT
    /// leave more than the cap, unless there were more by [`MAX_DISPLACED`] before.
    ///
    /// [`EventKind::LoggedIn`]: crate::domain::EventKind::LoggedIn
    /// [`DISPLACEMENT_NOTICE_PERIOD`]: crate::domain::DISPLACEMENT_NOTICE_PERIOD
    /// [`MAX_DISPLACED`]: crate::domain::MAX_DISPLACED
    async fn start(&self, new: &NewSession, caller: &Caller) -> Result<Option<Started>, Unexpected>;

    /// Presents a refresh token, as [`Session::judge`] says. Where it rotates, what the caller's device tells is stored in place of
    /// what an earlier request told; what it does not tell stays.
    ///
    /// MUST be settled by one atomic statement a step: of any number of parallel calls with one generation, on any number
    /// of instances, exactly one rotates. On reuse, the end of the session, an event and the mail to its owner are one
    /// transaction.
    async fn rotate(
        &self,
        presented: RefreshToken,
        caller: &Caller,
        policy: RotationPolicy,
        now: DateTime<Utc>,
    ) -> Result<Rotation, Unexpected>;

    /// Ends a live session. Answers those that this call ended: one or none. Where it ended one, it leaves an event.
    async fn end(
        &self,
        id: SessionId,
        reason: SessionEnd,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>, Unexpected>;

    /// Begins to end every live session of the account that this live session belongs to, for a logout, and leaves one event,
    /// that of this session. Where this session has ended, answers what is left of such an end that is under way.
    async fn end_siblings(
        &self,
        id: SessionId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<EndedBatch, Unexpected>;

    /// Whether the session is live and its account active.
    async fn is_live(&self, id: SessionId, now: DateTime<Utc>) -> Result<bool, Unexpected>;

    /// Notes that tokens of these generations have been presented. The newest one counts, whatever the order.
    async fn note_seen(&self, sightings: &[(SessionId, Generation)]) -> Result<(), Unexpected>;

    /// The sessions that have ended since an earlier call, by its cursor; without one, those whose access tokens may still
    /// be about. MUST contain each end that was committed before the call, and MAY repeat some.
    async fn ended_since(&self, cursor: Option<EndCursor>)
    -> Result<(Vec<SessionId>, EndCursor), Unexpected>;
}

/// Up to where ends have been read, by the clock of the database.
#[derive(Debug, Clone, Copy)]
pub struct EndCursor(pub DateTime<Utc>);

/// Sessions as their owners see them.
#[async_trait]
pub trait SessionDirectory: Send + Sync + 'static {
    /// A page of the live sessions of an account, MUST be newest first from whichever end it is counted.
    async fn list(
        &self,
        owner: UserId,
        page: Page<SessionPlace>,
        now: DateTime<Utc>,
    ) -> Result<Vec<ListedSession>, Unexpected>;

    /// The session, if it is live and belongs to this account.
    async fn find(
        &self,
        owner: UserId,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<ListedSession>, Unexpected>;
}

/// The blacklist, and how the instances tell each other what is put on it.
///
/// An accelerator: it may fail, forget and lose. What it says in time saves asking the rows of sessions.
#[async_trait]
pub trait Revocations: Send + Sync + 'static {
    /// Lists sessions that have ended for `ttl`, the longest remaining life of their access tokens, and tells all who have
    /// subscribed. MUST fail unless the server has taken both. MUST answer within two seconds.
    async fn announce(&self, sessions: &[SessionId], ttl: TimeDelta) -> Result<(), Unexpected>;

    /// Begins to listen: what is announced from now on is heard, or the subscription fails.
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, Unexpected>;
}

/// A subscription to what is announced.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for the next news. MUST either have some within a second or fail, also when the line hangs half open.
    async fn next(&mut self) -> Result<News, Unexpected>;
}

/// What a subscription has to tell.
#[derive(Debug)]
pub struct News {
    /// Sessions that have ended.
    pub ended: Vec<SessionId>,
    /// A moment such that everything announced before it has been told.
    pub complete_as_of: Option<Instant>,
}
