//! Getting back in without the password.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{EmailAddress, MailId, MailTokenPurpose, Password, Weakness};
use crate::ports::{Clock, Recovery, Unexpected};
use crate::services::Mirror;
use crate::services::passwords::{ChoiceError, Passwords};
use crate::services::posting::Posting;

/// The use cases `requestPasswordReset` and `resetPassword`.
pub struct PasswordRecovery {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) recovery: Arc<dyn Recovery>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) posting: Arc<Posting>,
    pub(crate) mirror: Arc<Mirror>,
}

/// Why no password was set.
#[derive(Debug, thiserror::Error)]
pub enum ResetPasswordError {
    /// The token is unknown, used or expired.
    #[error("the token from the mail does not work, or no longer")]
    InvalidToken,
    /// The password is too easy to guess. The token still works.
    #[error(transparent)]
    Weak(#[from] Weakness),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl PasswordRecovery {
    /// Mails a link to set a new password, if the address has an account and has not had too many. The caller cannot tell.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be stored; repeating the request is safe.
    #[instrument(name = "service.request_password_reset", skip_all)]
    pub async fn request(&self, email: &EmailAddress) -> Result<(), Unexpected> {
        let now = self.clock.now();
        let mail = self.posting.token_mail(MailTokenPurpose::ResetPassword, now);
        self.recovery.request_password_reset(email, mail, now).await?;
        self.posting.announce(mail.id);
        Ok(())
    }

    /// Sets a new password with the token from the mail, and ends every session of the account. Answers how many.
    ///
    /// # Errors
    /// See [`ResetPasswordError`].
    #[instrument(name = "service.reset_password", skip_all)]
    pub async fn reset(&self, token: &str, password: Password) -> Result<usize, ResetPasswordError> {
        let invalid = ResetPasswordError::InvalidToken;
        let Some(presented) = self.posting.read(token, MailTokenPurpose::ResetPassword) else {
            return Err(invalid);
        };
        // Looked at first, so that a weak password does not use it up, and a used one costs no hash.
        let now = self.clock.now();
        let Some(holder) = self.recovery.find_holder(presented, now).await? else { return Err(invalid) };
        let hash = self.passwords.choose(&holder, password).await?;
        let notice = MailId::generate(now);
        let Some(ended) = self.recovery.reset_password(presented, &hash, notice, now).await? else {
            return Err(invalid);
        };
        tracing::info!(user.id = %holder.id, ended = ended.len(), "a password was reset");
        self.posting.announce(notice);
        self.mirror.revoke(&ended).await;
        Ok(ended.len())
    }
}

impl From<ChoiceError> for ResetPasswordError {
    fn from(error: ChoiceError) -> Self {
        match error {
            ChoiceError::Weak(weakness) => Self::Weak(weakness),
            ChoiceError::Unexpected(error) => Self::Unexpected(error),
        }
    }
}
