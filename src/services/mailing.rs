//! Sending the mails that are owed.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tracing::instrument;

use crate::domain::{MailId, RetryPolicy};
use crate::ports::{ClaimedMail, Clock, MailOutcome, MailQueue, Mailer, Outbox, SendError, Unexpected};

/// How long a worker has a mail for itself: longer than any try takes.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// The use case of the worker.
pub struct Mailing {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: Arc<dyn MailQueue>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) retry: RetryPolicy,
}

/// A claimed mail, on its way.
pub struct Delivery(ClaimedMail);

impl Mailing {
    /// Waits until a mail is announced.
    ///
    /// # Errors
    /// [`Unexpected`] when the list does not answer; the sweep goes on.
    pub async fn next_announcement(&self) -> Result<MailId, Unexpected> {
        self.queue.pop().await
    }

    /// Takes this mail, or any, if one is due.
    ///
    /// # Errors
    /// [`Unexpected`] when the outbox does not answer.
    pub async fn claim(&self, id: Option<MailId>) -> Result<Option<Delivery>, Unexpected> {
        Ok(self.outbox.claim(id, LEASE, self.clock.now()).await?.map(Delivery))
    }

    /// Sends a mail and records how it went. When `hand_back` is cancelled first, the try is broken off and another worker
    /// may have the mail at once.
    #[instrument(name = "service.deliver", skip_all, fields(mail.id = %delivery.0.mail.id))]
    pub async fn deliver(&self, delivery: Delivery, hand_back: &CancellationToken) {
        let Delivery(claim) = delivery;
        let result = tokio::select! {
            result = self.mailer.send(&claim.mail) => Some(result),
            () = hand_back.cancelled() => None,
        };
        let now = self.clock.now();
        let outcome = match result {
            Some(Ok(())) => MailOutcome::Sent,
            Some(Err(SendError::Permanent(reply))) => MailOutcome::Dead(reply),
            Some(Err(SendError::Transient(reply))) => {
                match self.retry.next_try(&claim.mail, claim.attempt, now) {
                    Some(at) => MailOutcome::RetryAt(at, reply),
                    None => MailOutcome::Dead(reply),
                }
            }
            None => MailOutcome::HandedBack,
        };
        // Without the server's reply, which may quote an address: that is in the outbox.
        let kind = claim.mail.kind.as_str();
        match &outcome {
            MailOutcome::Sent => tracing::info!(kind, "mail sent"),
            MailOutcome::RetryAt(at, _) => {
                tracing::warn!(kind, %at, "mail not sent; trying again");
            }
            MailOutcome::Dead(_) => tracing::error!(kind, "mail given up"),
            MailOutcome::HandedBack => tracing::info!(kind, "mail handed back"),
        }
        if let Err(error) = self.outbox.settle(&claim, &outcome, now).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the outcome of a mail was not recorded; it is tried again when its lease is over"
            );
        }
    }
}
