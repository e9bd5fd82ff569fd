//! Creating accounts.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{EmailAddress, Locale, Password, PersonName};
use crate::ports::{Clock, MailQueue, NewUser, PasswordHasher, Unexpected, Users};

/// What somebody who registers says.
#[derive(Debug)]
pub struct NewAccount {
    /// The address used to sign in.
    pub email: EmailAddress,
    /// Already judged to be strong enough.
    pub password: Password,
    /// How the person wants to be called.
    pub name: Option<PersonName>,
    /// The language of mails.
    pub locale: Locale,
}

/// The use case `register`.
pub struct Registration {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) users: Arc<dyn Users>,
    pub(crate) mail: Arc<dyn MailQueue>,
}

impl Registration {
    /// Creates an account and owes its owner a welcome. For an address that has one already, nothing changes, its owner is
    /// told by mail, and the caller cannot tell the difference: not by the answer, and not by the time it takes.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be stored; repeating the request is safe.
    #[instrument(name = "service.register", skip_all)]
    pub async fn register(&self, account: NewAccount) -> Result<(), Unexpected> {
        let NewAccount { email, password, name, locale } = account;
        let password_hash = self.hasher.hash(password).await?;
        let new = NewUser { email, password_hash, name, locale };
        let mail = self.users.register(new, self.clock.now()).await?;
        self.mail.push(mail);
        Ok(())
    }
}
