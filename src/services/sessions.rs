//! What people see of their sessions.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{ListedSession, PageEnd, SessionId, SessionPage, UserId};
use crate::ports::{Clock, Sessions, Unexpected};

/// The use cases behind `User.sessions` and `node`.
pub struct OwnSessions {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sessions: Arc<dyn Sessions>,
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
        let mut sessions = self.sessions.list(owner, wider, self.clock.now()).await?;
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
        self.sessions.find(owner, id, self.clock.now()).await
    }
}
