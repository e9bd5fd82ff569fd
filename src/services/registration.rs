//! Creating accounts, and confirming their addresses.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{
    Caller, EmailAddress, EventKind, Locale, MailTokenPurpose, Password, PersonName, UserId, Weakness,
};
use crate::ports::{Clock, Confirmed, NewUser, Recovery, Registered, Unexpected, Users};
use crate::services::limits::{Attempt, from_limit_error};
use crate::services::passwords::{ChoiceError, Passwords};
use crate::services::posting::Posting;
use crate::services::{Limits, RateLimited, events};

/// What somebody who registers says.
#[derive(Debug)]
pub struct NewAccount {
    /// The address used to sign in.
    pub email: EmailAddress,
    /// Not judged yet.
    pub password: Password,
    /// How the person wants to be called.
    pub name: Option<PersonName>,
    /// The language of mails.
    pub locale: Locale,
}

/// The use cases `register`, `verifyEmail` and `resendVerification`.
pub struct Registration {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) users: Arc<dyn Users>,
    pub(crate) recovery: Arc<dyn Recovery>,
    pub(crate) posting: Arc<Posting>,
    pub(crate) limits: Arc<Limits>,
    /// Whether whoever asks is told that an address is taken.
    pub(crate) reveals_taken: bool,
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The address has an account, and the operator wants that told.
    #[error("an account with this address exists")]
    EmailTaken,
    /// The password is too easy to guess, or known from a breach, whoever's address it is.
    #[error(transparent)]
    Weak(#[from] Weakness),
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Why a token from a mail was refused.
#[derive(Debug, thiserror::Error)]
pub enum MailTokenError {
    /// It is unknown, used or expired.
    #[error("the token from the mail does not work, or no longer")]
    Invalid,
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Why no mail was asked for.
#[derive(Debug, thiserror::Error)]
pub enum MailRequestError {
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl Registration {
    /// Creates an account and owes its owner a welcome. For an address that has one already, nothing changes, its owner is
    /// told by mail, and the caller cannot tell the difference: not by the answer, and not by the time it takes. Unless the
    /// operator has chosen to tell.
    ///
    /// # Errors
    /// See [`RegisterError`].
    #[instrument(name = "service.register", skip_all)]
    pub async fn register(&self, account: NewAccount, caller: &Caller) -> Result<(), RegisterError> {
        let NewAccount { email, password, name, locale } = account;
        let reservation = self.limits.reserve(Attempt::Register(&email), caller).await?;
        let known = vec![email.as_str().to_owned(), name.as_ref().map_or("", PersonName::as_str).to_owned()];
        let chosen = self.passwords.choice.choose(known, password, reservation.requester).await;
        if let Err(ChoiceError::Unexpected(Unexpected::Overloaded { .. })) = &chosen {
            self.limits.give_back(reservation).await;
        }
        let password_hash = chosen?;
        let now = self.clock.now();
        let requester = self.limits.unknown_mail_requester(caller);
        let mail = self.posting.token_mail(MailTokenPurpose::VerifyEmail, requester, now);
        let id = UserId::generate(now);
        let new = NewUser { id, email, password_hash, name, locale };
        let registered = self.users.register(new, mail, caller, now).await?;
        self.posting.announce(mail.id);
        match registered {
            Registered::New => events::log(EventKind::Registered, Some(id), None, caller),
            Registered::Taken => events::log(EventKind::RegistrationRepeated, None, None, caller),
        }
        match registered {
            Registered::Taken if self.reveals_taken => Err(RegisterError::EmailTaken),
            Registered::Taken | Registered::New => Ok(()),
        }
    }

    /// What is wrong with a password beside other mistakes in the same form, so that all of them are told at once. The form
    /// counts as a registration of its network.
    ///
    /// # Errors
    /// See [`RegisterError`]: [`RegisterError::Weak`] where the password is a weak one.
    #[instrument(name = "service.judge_registration", skip_all)]
    pub async fn judge_with_mistakes(
        &self,
        password: Option<Password>,
        known: Vec<String>,
        caller: &Caller,
    ) -> Result<(), RegisterError> {
        let reservation = self.limits.reserve(Attempt::RegisterWithMistakes, caller).await?;
        let Some(password) = password else { return Ok(()) };
        Ok(self.passwords.choice.judge(known, password, reservation.requester).await?)
    }

    /// Confirms the address that a token was mailed to, and answers it.
    ///
    /// # Errors
    /// See [`MailTokenError`].
    #[instrument(name = "service.verify_email", skip_all)]
    pub async fn verify_email(&self, token: &str, caller: &Caller) -> Result<EmailAddress, MailTokenError> {
        let Some(presented) = self.posting.read(token, MailTokenPurpose::VerifyEmail) else {
            self.limits.reserve(Attempt::Worthless, caller).await?;
            return Err(MailTokenError::Invalid);
        };
        self.limits.reserve(Attempt::UseMailToken(presented.id), caller).await?;
        let verified = self.recovery.verify_email(presented, caller, self.clock.now()).await?;
        let Confirmed { user_id, email, event } = verified.ok_or(MailTokenError::Invalid)?;
        if let Some(kind) = event {
            events::log(kind, Some(user_id), None, caller);
        }
        Ok(email)
    }

    /// Mails a new confirmation, if the address has an account that needs one and has not had too many. The caller cannot
    /// tell.
    ///
    /// # Errors
    /// See [`MailRequestError`]; repeating the request is safe.
    #[instrument(name = "service.resend_verification", skip_all)]
    pub async fn resend_verification(
        &self,
        email: &EmailAddress,
        caller: &Caller,
    ) -> Result<(), MailRequestError> {
        self.limits.reserve(Attempt::ResendVerification(email), caller).await?;
        let now = self.clock.now();
        let requester = self.limits.mail_requester(email, caller).await?;
        let mail = self.posting.token_mail(MailTokenPurpose::VerifyEmail, requester, now);
        self.recovery.request_verification(email, mail, now).await?;
        self.posting.announce(mail.id);
        Ok(())
    }
}

from_limit_error!(RegisterError, MailTokenError, MailRequestError);

impl From<ChoiceError> for RegisterError {
    fn from(error: ChoiceError) -> Self {
        match error {
            ChoiceError::Weak(weakness) => Self::Weak(weakness),
            ChoiceError::Unexpected(error) => Self::Unexpected(error),
        }
    }
}
