//! What travels by mail and comes back as a token.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{EndedBatch, Unexpected};
use crate::domain::{
    Caller, EmailAddress, EventKind, MailId, MailRequester, MailToken, MailTokenDigest, MailTokenPurpose,
    PresentedMailToken, User, UserId,
};

/// A mail that is to be queued with a token in it.
#[derive(Debug, Clone, Copy)]
pub struct TokenMail {
    /// Names the mail, and the token.
    pub id: MailId,
    /// What is stored of the token.
    pub digest: MailTokenDigest,
    /// When the token stops working.
    pub expires_at: DateTime<Utc>,
    /// Who asked for it.
    pub requester: MailRequester,
}

/// What a token from a mail has confirmed.
#[derive(Debug)]
pub struct Confirmed {
    /// Whose account it is.
    pub user_id: UserId,
    /// Its address, which the token was mailed to.
    pub email: EmailAddress,
    /// The event that this left. `None` where all of it was so already: nothing has changed then.
    pub event: Option<EventKind>,
}

/// Writing and checking the tokens that mails carry. Nothing of them is kept: each is a function of its mail's id.
pub trait MailTokens: Send + Sync + 'static {
    /// What to store of the token of this mail.
    fn issue(&self, id: MailId, purpose: MailTokenPurpose) -> MailTokenDigest;

    /// The token with this digest, for the mail itself. `None` where it was made under a secret that is not configured.
    fn recover(&self, stored: PresentedMailToken) -> Option<MailToken>;

    /// Reads a token that comes back. `None` unless it is genuine and for this purpose; whether it still works, its row
    /// decides.
    fn read(&self, text: &str, purpose: MailTokenPurpose) -> Option<PresentedMailToken>;
}

/// Confirming addresses, and getting back in without the password.
///
/// A mail that nobody may have, because the address has no account, has been confirmed, or has had too many of late, MUST
/// leave a row as well, so that the same is done and answered in each case. A token MUST be used up by one atomic statement,
/// before and together with what it causes, its event included; whatever it cannot cause leaves it as it is.
#[async_trait]
pub trait Recovery: Send + Sync + 'static {
    /// Queues another mail with which the owner of this address can confirm it.
    async fn request_verification(
        &self,
        email: &EmailAddress,
        mail: TokenMail,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected>;

    /// Queues a mail with which the owner of this address can set a new password.
    async fn request_password_reset(
        &self,
        email: &EmailAddress,
        mail: TokenMail,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected>;

    /// Whose token this is, if it still works.
    async fn find_holder(
        &self,
        token: PresentedMailToken,
        now: DateTime<Utc>,
    ) -> Result<Option<User>, Unexpected>;

    /// Uses up a token, and confirms the address that it was mailed to. Answers that address; `None` where the token does
    /// not work, or the account has moved to another address. One that was confirmed already MUST leave no event.
    async fn verify_email(
        &self,
        token: PresentedMailToken,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<Confirmed>, Unexpected>;

    /// Uses up a token, sets the password, kills every session, makes every other token of the account worthless, and queues
    /// the mail `notice` about it, all in one transaction. Whoever got the mail has the address, so that is confirmed too.
    /// Answers which sessions it ended, and what is left to end; `None` where the token does not work.
    async fn reset_password(
        &self,
        token: PresentedMailToken,
        password_hash: &str,
        notice: MailId,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedBatch>, Unexpected>;
}
