//! Sending the mails that are owed.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use tracing::instrument;

use crate::domain::{MailId, RetryPolicy};
use crate::ports::{
    ClaimedMail, Clock, MailOutcome, MailQueue, MailTokens, Mailer, Outbox, SendError, Unexpected,
};

/// How long a worker has a mail for itself: longer than any try takes.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// The use case of the worker.
pub struct Mailing {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: Arc<dyn MailQueue>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) tokens: Arc<dyn MailTokens>,
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
        let Delivery(mut claim) = delivery;
        let outcome = match self.complete(&mut claim) {
            Ok(()) => self.send(&claim, hand_back).await,
            Err(outcome) => outcome,
        };
        let now = self.clock.now();
        // Without the server's reply, which may quote an address: that is in the outbox.
        let kind = claim.mail.kind.as_str();
        match &outcome {
            MailOutcome::Sent => tracing::info!(kind, "mail sent"),
            MailOutcome::RetryAt(at, _) => {
                tracing::warn!(kind, %at, "mail not sent; trying again");
            }
            MailOutcome::Dead(_) => tracing::error!(kind, "mail given up"),
            MailOutcome::Suppressed(reason) => tracing::info!(kind, reason, "mail not sent on purpose"),
            MailOutcome::HandedBack => tracing::info!(kind, "mail handed back"),
        }
        if let Err(error) = self.outbox.settle(&claim, &outcome, now).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the outcome of a mail was not recorded; it is tried again when its lease is over"
            );
        }
    }
    /// Puts its token into a mail. One that is of no use any longer keeps the mail from being sent.
    fn complete(&self, claim: &mut ClaimedMail) -> Result<(), MailOutcome> {
        let Some(stored) = claim.token else { return Ok(()) };
        if !stored.is_live {
            return Err(MailOutcome::Suppressed(
                "its link had been used, or had expired, before it could be sent",
            ));
        }
        claim.mail.token = self.tokens.recover(stored.token);
        if claim.mail.token.is_none() {
            let reason = "its link was made under a secret that is configured no longer";
            return Err(MailOutcome::Dead(reason.to_owned()));
        }
        Ok(())
    }

    async fn send(&self, claim: &ClaimedMail, hand_back: &CancellationToken) -> MailOutcome {
        let result = tokio::select! {
            result = self.mailer.send(&claim.mail) => result,
            () = hand_back.cancelled() => return MailOutcome::HandedBack,
        };
        match result {
            Ok(()) => MailOutcome::Sent,
            Err(SendError::Permanent(reply)) => MailOutcome::Dead(reply),
            Err(SendError::Transient(reply)) => {
                match self.retry.next_try(&claim.mail, claim.attempt, self.clock.now()) {
                    Some(at) => MailOutcome::RetryAt(at, reply),
                    None => MailOutcome::Dead(reply),
                }
            }
        }
    }
}
