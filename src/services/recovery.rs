//! Getting back in without the password.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{
    Caller, EmailAddress, EventKind, MailId, MailTokenPurpose, Password, Requester, Weakness,
};
use crate::ports::{Clock, Recovery, Unexpected};
use crate::services::limits::{Attempt, from_limit_error};
use crate::services::passwords::{ChoiceError, Passwords};
use crate::services::posting::Posting;
use crate::services::{Endings, Limits, MailRequestError, RateLimited, events};

/// The use cases `requestPasswordReset` and `resetPassword`.
pub struct PasswordRecovery {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) recovery: Arc<dyn Recovery>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) posting: Arc<Posting>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) endings: Arc<Endings>,
}

/// The password is set.
#[derive(Debug)]
pub struct PasswordReset {
    /// How many sessions that has ended.
    pub ended: usize,
    /// What the device shall keep to be known again, where accounts have limits.
    pub device_token: Option<String>,
}

/// Why no password was set.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordError {
    /// The token is unknown, used or expired.
    #[error("the token from the mail does not work, or no longer")]
    InvalidToken,
    /// The password is too easy to guess, or known from a breach. The token still works.
    #[error(transparent)]
    Weak(#[from] Weakness),
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl PasswordRecovery {
    /// Mails a link to set a new password, if the address has an account and has not had too many. The caller cannot tell.
    ///
    /// # Errors
    /// See [`MailRequestError`]; repeating the request is safe.
    #[instrument(name = "service.request_password_reset", skip_all)]
    pub async fn request(&self, email: &EmailAddress, caller: &Caller) -> Result<(), MailRequestError> {
        self.limits.reserve(Attempt::RequestPasswordReset(email), caller).await?;
        let now = self.clock.now();
        let requester = self.limits.mail_requester(email, caller).await?;
        let mail = self.posting.token_mail(MailTokenPurpose::ResetPassword, requester, now);
        self.recovery.request_password_reset(email, mail, caller, now).await?;
        events::log(EventKind::PasswordResetRequested, None, None, caller);
        self.posting.announce(mail.id);
        Ok(())
    }

    /// Sets a new password with the token from the mail, and ends every session of the account. Whoever reads its mail is its
    /// owner: wrong passwords are forgotten, and the device is known from now on.
    ///
    /// # Errors
    /// See [`ResetPasswordError`].
    #[instrument(name = "service.reset_password", skip_all)]
    pub async fn reset(
        &self,
        token: &str,
        password: Password,
        caller: &Caller,
    ) -> Result<PasswordReset, ResetPasswordError> {
        let invalid = ResetPasswordError::InvalidToken;
        let Some(presented) = self.posting.read(token, MailTokenPurpose::ResetPassword) else {
            self.limits.reserve(Attempt::Worthless, caller).await?;
            return Err(invalid);
        };
        let reservation = self.limits.reserve(Attempt::UseMailToken(presented.id), caller).await?;
        // Looked at first, so that a weak password does not use it up, and a used one costs no hash.
        let now = self.clock.now();
        let Some(holder) = self.recovery.find_holder(presented, now).await? else { return Err(invalid) };
        // Whoever has the token reads the mail of the account: no stranger to it.
        let requester = Requester { is_known: true, ..reservation.requester };
        let hash = match self.passwords.choose(&holder, password, requester).await {
            Err(ChoiceError::Unexpected(error @ Unexpected::Overloaded { .. })) => {
                self.limits.give_back(reservation).await;
                return Err(error.into());
            }
            chosen => chosen?,
        };
        let notice = MailId::generate(now);
        let Some(ended) = self.recovery.reset_password(presented, &hash, notice, caller, now).await? else {
            return Err(invalid);
        };
        events::log(EventKind::PasswordReset, Some(holder.id), None, caller);
        self.posting.announce(notice);
        let ended = self.endings.finish(ended).await?;
        self.limits.reset_failures(&holder.email, &caller.device).await;
        let device_token = self.limits.remember(&holder.email, &caller.device);
        Ok(PasswordReset { ended, device_token })
    }
}

from_limit_error!(ResetPasswordError);

impl From<ChoiceError> for ResetPasswordError {
    fn from(error: ChoiceError) -> Self {
        match error {
            ChoiceError::Weak(weakness) => Self::Weak(weakness),
            ChoiceError::Unexpected(error) => Self::Unexpected(error),
        }
    }
}
