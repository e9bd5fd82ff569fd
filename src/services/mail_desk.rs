//! What an operator does with mails.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{MailId, MailRecord, MailState};
use crate::ports::{Clock, MailLedger, Unexpected};

/// The reason that a dropped mail shows.
const DROPPED: &str = "dropped by an operator";

/// The commands `authql mail …`. What they change, workers find within seconds.
pub struct MailDesk {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ledger: Arc<dyn MailLedger>,
}

/// Why nothing was done to a mail.
#[derive(Debug, thiserror::Error)]
pub enum MailDeskError {
    /// There is none with this id, or it was removed.
    #[error("there is no such mail; they are kept for 90 days")]
    NotFound,
    /// Only mails in another state than this one can be treated so.
    #[error("it is {}, and not {}", found.as_str(), wanted.as_str())]
    WrongState {
        /// The state it is in.
        found: MailState,
        /// The state it would have to be in.
        wanted: MailState,
    },
    /// Nobody knows any more whom it was for.
    #[error("whom it was for has been forgotten")]
    Forgotten,
    /// Nobody could do anything with it.
    #[error("the link in it no longer works; its owner can ask for another one")]
    LinkExpired,
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl MailDesk {
    /// The newest mails first, those in this state if one is given, `count` at most.
    ///
    /// # Errors
    /// [`Unexpected`] when they could not be read.
    pub async fn list(&self, state: Option<MailState>, count: u32) -> Result<Vec<MailRecord>, Unexpected> {
        self.ledger.list(state, count).await
    }

    /// One mail.
    ///
    /// # Errors
    /// See [`MailDeskError`].
    pub async fn show(&self, id: MailId) -> Result<MailRecord, MailDeskError> {
        self.ledger.find(id).await?.ok_or(MailDeskError::NotFound)
    }

    /// Lets a dead mail be tried again, now and for what is left of its two days, or once if they are over.
    ///
    /// # Errors
    /// See [`MailDeskError`].
    #[instrument(name = "service.retry_mail", skip_all)]
    pub async fn retry(&self, id: MailId) -> Result<(), MailDeskError> {
        if self.ledger.retry(Some(id), self.clock.now()).await? > 0 {
            return Ok(());
        }
        Err(match self.show(id).await? {
            MailRecord { state: MailState::Dead, recipient: None, .. } => MailDeskError::Forgotten,
            MailRecord { state: MailState::Dead, .. } => MailDeskError::LinkExpired,
            MailRecord { state: found, .. } => MailDeskError::WrongState { found, wanted: MailState::Dead },
        })
    }

    /// The same for every dead mail that somebody could still read. Answers how many.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be done.
    #[instrument(name = "service.retry_dead_mails", skip_all)]
    pub async fn retry_all(&self) -> Result<u64, Unexpected> {
        self.ledger.retry(None, self.clock.now()).await
    }

    /// Ends a pending mail for good. One that a worker is handing over at this moment may still arrive.
    ///
    /// # Errors
    /// See [`MailDeskError`].
    #[instrument(name = "service.drop_mail", skip_all)]
    pub async fn suppress(&self, id: MailId) -> Result<(), MailDeskError> {
        if self.ledger.suppress(id, DROPPED, self.clock.now()).await? {
            return Ok(());
        }
        let MailRecord { state: found, .. } = self.show(id).await?;
        Err(MailDeskError::WrongState { found, wanted: MailState::Pending })
    }
}
