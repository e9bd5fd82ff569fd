//! Mails that are owed, and where they go.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::Unexpected;
use crate::domain::{Mail, MailId, PresentedMailToken};

/// A mail that a worker has taken. No other worker gets it before the lease is over.
#[derive(Debug)]
pub struct ClaimedMail {
    /// What to send. Its token is still to be recovered.
    pub mail: Mail,
    /// What is stored of the token that it carries.
    pub token: Option<StoredMailToken>,
    /// How often it has been claimed, this time included. Also the fence: the outcome of an older claim is ignored.
    pub attempt: u32,
}

/// What is stored of the token of a mail.
#[derive(Debug, Clone, Copy)]
pub struct StoredMailToken {
    /// What the token must be.
    pub token: PresentedMailToken,
    /// Whether it would still work.
    pub is_live: bool,
}

/// How a claim on a mail ended.
#[derive(Debug)]
pub enum MailOutcome {
    /// The server took it.
    Sent,
    /// It is to be tried again.
    RetryAt(DateTime<Utc>, String),
    /// It never will be sent, for the reason that the server gave.
    Dead(String),
    /// It is not sent on purpose, for a reason of ours.
    Suppressed(&'static str),
    /// It was not tried: another worker may have it at once, and this claim does not count.
    HandedBack,
}

/// The mails that are owed: committed with the event that owes them, kept until their end is known.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Takes this mail if it is due, or the one that has been due longest. `None` when there is none.
    async fn claim(
        &self,
        id: Option<MailId>,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<ClaimedMail>, Unexpected>;

    /// Records how a claim ended, unless the lease ran out and somebody else has claimed it since.
    async fn settle(
        &self,
        claim: &ClaimedMail,
        outcome: &MailOutcome,
        now: DateTime<Utc>,
    ) -> Result<(), Unexpected>;
}

/// The dispatch list: tells a worker at once of a mail that has been queued. It may lose everything; a sweep finds it.
#[async_trait]
pub trait MailQueue: Send + Sync + 'static {
    /// Announces a mail. MUST NOT wait for anything, and MUST NOT fail.
    fn push(&self, id: MailId);

    /// Waits for the next announcement. Dropping the future MUST NOT lose one that another call could have had.
    async fn pop(&self) -> Result<MailId, Unexpected>;
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Worth another try: no connection, a time-out, a 4xx reply.
    #[error("{0}")]
    Transient(String),
    /// No try will help: a 5xx reply, or a mail that cannot be written.
    #[error("{0}")]
    Permanent(String),
}

/// Handing a mail over to where its owner reads it.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Renders and sends the mail. The `Message-ID` MUST be the same at each try. Waits under two minutes.
    async fn send(&self, mail: &Mail) -> Result<(), SendError>;
}

/// A mail in the mailbox of the zero-configuration mode, as its owner sees it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct StoredMail {
    /// The id of the outbox row.
    pub id: String,
    /// [`MailKind`](crate::domain::MailKind) by name.
    pub kind: String,
    /// The `From` header.
    pub from: String,
    /// The `To` header.
    pub to: String,
    /// The `Subject` header.
    pub subject: String,
    /// The `Date` header.
    pub date: DateTime<Utc>,
    /// The plain-text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// What is wrong with the templates of mails, as a sentence for the operator who changed them.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BrokenTemplates(pub String);

/// The mails that the zero-configuration mode keeps instead of sending.
#[async_trait]
pub trait Mailbox: Send + Sync + 'static {
    /// The newest mails first, 100 at most.
    async fn list(&self) -> Result<Vec<StoredMail>, Unexpected>;

    /// A sample of each mail in each language, with an id such as `en/welcome`. They MUST be written from what the templates
    /// are now, so that an operator who changes them sees what comes of it.
    async fn samples(&self) -> Result<Vec<StoredMail>, BrokenTemplates>;
}
