//! Use cases: what authql does, in terms of the [domain](crate::domain) and of the [ports](crate::ports). One file a
//! family, one error enum a use case.

mod access;
mod account;
mod authentication;
mod endings;
mod events;
mod failures;
mod housekeeping;
mod limits;
mod mail_desk;
mod mailing;
mod passwords;
mod posting;
mod recovery;
mod registration;
mod repetitions;
mod revocation;
mod session_desk;
mod sessions;
mod sightings;
mod signing;
mod user_desk;

use std::sync::Arc;

pub use access::{Access, AccessError};
pub use account::{
    Accounts, ChangePasswordError, DeleteAccountError, RequestEmailChangeError, UpdateProfileError,
};
pub use authentication::{
    Authentication, LoginError, LoginSuccess, LogoutError, LogoutRequest, RefreshError,
};
pub use events::{EventHistory, Refusals};
pub use failures::Failures;
pub use housekeeping::Housekeeping;
pub use limits::{Limits, RateLimited};
pub use mail_desk::{MailDesk, MailDeskError};
pub use mailing::{Delivery, Mailing};
pub use recovery::{PasswordRecovery, PasswordReset, ResetPasswordError};
pub use registration::{MailRequestError, MailTokenError, NewAccount, RegisterError, Registration};
pub use revocation::{Mirror, Standing};
pub use session_desk::{SessionDesk, TakenBack};
pub use sessions::{EndSessionError, OwnSessions};
pub use sightings::Sightings;
pub use signing::{Signing, SigningError};
pub use user_desk::{CreateUserError, ImportRefusal, Imported, UserDesk, UserDeskError};

pub(crate) use endings::Endings;
pub use passwords::PasswordChoice;
pub(crate) use passwords::Passwords;
pub(crate) use posting::Posting;

use crate::ports::{BrokenTemplates, Mailbox, Readiness, StoredMail};

pub use crate::ports::{AccountRecord, ProfileChange, Unexpected};

/// Everything that the transports (GraphQL and HTTP) can ask for.
pub struct Services {
    /// Creating accounts, and confirming their addresses.
    pub registration: Registration,
    /// Getting back in without the password.
    pub recovery: PasswordRecovery,
    /// Starting, continuing and ending sessions.
    pub authentication: Authentication,
    /// The guard.
    pub access: Access,
    /// What an account shows of its owner, and what they can change about it.
    pub accounts: Accounts,
    /// What people see of their sessions.
    pub sessions: OwnSessions,
    /// What people see of what happened to their accounts.
    pub events: EventHistory,
    /// How often what may be tried, for what no use case sees: forms with mistakes.
    pub limits: Arc<Limits>,
    /// The keys of access tokens.
    pub signing: Arc<Signing>,
    /// Whether authql can do its work.
    pub health: Health,
    /// What could not be answered, in the log.
    pub failures: Arc<Failures>,
    /// The mailbox of the zero-configuration mode; `None` where mails are really sent.
    pub mailbox: Option<MailboxPage>,
}

/// Whether authql can do its work.
pub struct Health(pub(crate) Arc<dyn Readiness>);

impl Health {
    /// # Errors
    /// [`Unexpected::Unavailable`] when the database does not answer.
    pub async fn check(&self) -> Result<(), Unexpected> {
        self.0.check().await
    }
}

/// The mails that the zero-configuration mode keeps instead of sending.
pub struct MailboxPage(pub(crate) Arc<dyn Mailbox>);

impl MailboxPage {
    /// The newest mails first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list(&self) -> Result<Vec<StoredMail>, Unexpected> {
        self.0.list().await
    }

    /// A sample of each mail in each language.
    ///
    /// # Errors
    /// When the operator's templates are broken.
    pub async fn samples(&self) -> Result<Vec<StoredMail>, BrokenTemplates> {
        self.0.samples().await
    }
}
