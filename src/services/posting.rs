//! Announcing the mails that a use case owes, and making the tokens that some of them carry.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::{MailId, MailRequester, MailTokenPurpose, PresentedMailToken};
use crate::ports::{MailQueue, MailTokens, TokenMail};

/// What every use case with a mail does.
pub(crate) struct Posting {
    pub(crate) queue: Arc<dyn MailQueue>,
    pub(crate) tokens: Arc<dyn MailTokens>,
}

impl Posting {
    /// A mail with a token in it, to be stored.
    pub(crate) fn token_mail(
        &self,
        purpose: MailTokenPurpose,
        requester: MailRequester,
        now: DateTime<Utc>,
    ) -> TokenMail {
        let id = MailId::generate(now);
        let digest = self.tokens.issue(id, purpose);
        TokenMail { id, digest, expires_at: now + purpose.lifetime(), requester }
    }

    /// Reads a token that comes back. `None` unless it is genuine and for this purpose.
    pub(crate) fn read(&self, text: &str, purpose: MailTokenPurpose) -> Option<PresentedMailToken> {
        self.tokens.read(text, purpose)
    }

    /// Tells a worker of a mail that has been stored, so that it need not be found.
    pub(crate) fn announce(&self, mail: MailId) {
        self.queue.push(mail);
    }
}
