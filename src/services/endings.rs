//! Ending all sessions of an account, however many there are (docs/security.md BUD-7).

use std::sync::Arc;

use tracing::{Instrument, Span};

use crate::ports::{Clock, EndedBatch, OwedEnds, SessionEndings, Unexpected};
use crate::services::Mirror;

/// What every use case with such an end does.
pub(crate) struct Endings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rows: Arc<dyn SessionEndings>,
    pub(crate) mirror: Arc<Mirror>,
}

impl Endings {
    /// Ends what is left after `first`, and makes all of it known. Answers how many were live. When this returns, no instance
    /// lets any of them pass.
    ///
    /// # Errors
    /// [`Unexpected`] when some could not be ended: the housekeeping goes on with them, and so does repeating the request.
    pub(crate) async fn finish(self: &Arc<Self>, first: EndedBatch) -> Result<usize, Unexpected> {
        if first.rest.is_none() {
            return Ok(self.announce(&first).await);
        }
        // A task of its own: a million take longer than a client waits, and end nevertheless.
        let this = Arc::clone(self);
        let work = async move {
            let count = this.announce(&first).await;
            match first.rest {
                Some(rest) => Ok(count + this.carry_on(rest).await?),
                None => Ok(count),
            }
        };
        let task = tokio::spawn(work.instrument(Span::current()));
        task.await.map_err(|error| Unexpected::fault("the ending of sessions broke off", error))?
    }

    /// Ends what others have left: where a process died, and where an operator shut an account by hand.
    ///
    /// # Errors
    /// [`Unexpected`] when some could not be ended.
    pub(crate) async fn finish_owed(&self) -> Result<(), Unexpected> {
        for owed in self.rows.owed().await? {
            let count = self.carry_on(owed).await?;
            tracing::info!(user.id = %owed.owner, count, "sessions that were to end have been ended");
        }
        Ok(())
    }

    async fn carry_on(&self, owed: OwedEnds) -> Result<usize, Unexpected> {
        let (mut count, mut rest) = (0, Some(owed));
        while let Some(owed) = rest {
            let batch = self.rows.go_on(owed, self.clock.now()).await?;
            count += self.announce(&batch).await;
            rest = batch.rest;
        }
        Ok(count)
    }

    async fn announce(&self, batch: &EndedBatch) -> usize {
        if !batch.to_announce.is_empty() {
            self.mirror.revoke(&batch.to_announce).await;
        }
        batch.count
    }
}
