//! What people see of their sessions.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{ListedSession, PageEnd, SessionEnd, SessionId, SessionPage, UserId, Viewer};
use crate::ports::{Clock, SessionDirectory, Sessions, Unexpected};
use crate::services::Mirror;

/// The use cases behind `User.sessions`, `node` and `revokeSession`.
pub struct OwnSessions {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) directory: Arc<dyn SessionDirectory>,
    pub(crate) mirror: Arc<Mirror>,
}

/// Why a session was not ended.
#[derive(Debug, thiserror::Error)]
pub enum EndSessionError {
    /// There is no such session, it has ended, or it is somebody else's.
    #[error("there is no such session")]
    NotFound,
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// A page of somebody's sessions, newest first.
#[derive(Debug)]
pub struct SessionsSeen {
    /// Those that were asked for.
    pub sessions: Vec<ListedSession>,
    /// Whether there are newer ones.
    pub has_previous: bool,
    /// Whether there are older ones.
    pub has_next: bool,
}

impl OwnSessions {
    /// A page of the live sessions of an account.
    ///
    /// # Errors
    /// [`Unexpected`] when they could not be read.
    #[instrument(name = "service.list_sessions", skip_all)]
    pub async fn list(&self, owner: UserId, page: SessionPage) -> Result<SessionsSeen, Unexpected> {
        // One more than asked for tells whether there are more.
        let wider = SessionPage { size: page.size + 1, ..page };
        let mut sessions = self.directory.list(owner, wider, self.clock.now()).await?;
        let is_cut = sessions.len() > usize::from(page.size);
        Ok(match page.from {
            PageEnd::First => {
                sessions.truncate(page.size.into());
                // A cursor was taken from a session, which stands on its other side.
                SessionsSeen {
                    sessions,
                    has_previous: page.after.is_some(),
                    has_next: is_cut || page.before.is_some(),
                }
            }
            PageEnd::Last => {
                sessions.drain(..usize::from(is_cut));
                SessionsSeen {
                    sessions,
                    has_previous: is_cut || page.after.is_some(),
                    has_next: page.before.is_some(),
                }
            }
        })
    }

    /// A live session of this account. `None` for one of somebody else.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be read.
    pub async fn find(&self, owner: UserId, id: SessionId) -> Result<Option<ListedSession>, Unexpected> {
        self.directory.find(owner, id, self.clock.now()).await
    }

    /// Ends one of the viewer's sessions, which may be the one that asks.
    ///
    /// # Errors
    /// See [`EndSessionError`].
    #[instrument(name = "service.end_session", skip_all)]
    pub async fn end(&self, viewer: Viewer, id: SessionId) -> Result<ListedSession, EndSessionError> {
        let now = self.clock.now();
        // Whose it is never changes, so it may be asked for before.
        let session = self.directory.find(viewer.user_id, id, now).await?.ok_or(EndSessionError::NotFound)?;
        let ended = self.sessions.end(id, SessionEnd::Revoked, now).await?;
        if ended.is_empty() {
            return Err(EndSessionError::NotFound);
        }
        tracing::info!(user.id = %viewer.user_id, session.id = %id, "a session was ended by its owner");
        self.mirror.revoke(&ended).await;
        Ok(session)
    }
}
