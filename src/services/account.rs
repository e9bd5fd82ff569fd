//! What an account shows of its owner, and what its owner can change about it.

use std::sync::Arc;

use tracing::instrument;

use crate::domain::{
    Caller, EmailAddress, EventKind, MailId, MailTokenPurpose, Password, User, Viewer, Weakness,
};
use crate::ports::{
    AccountChanges, Clock, Confirmed, Credentials, ProfileChange, Registered, Unexpected, Users,
};
use crate::services::limits::{Attempt, from_limit_error};
use crate::services::passwords::{Checked, ChoiceError, Passwords};
use crate::services::posting::Posting;
use crate::services::{Endings, Limits, MailTokenError, RateLimited, events};

/// The query `me`, and the use cases `changePassword`, `requestEmailChange`, `confirmEmailChange`, `updateProfile` and
/// `deleteAccount`.
pub struct Accounts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) users: Arc<dyn Users>,
    pub(crate) changes: Arc<dyn AccountChanges>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) posting: Arc<Posting>,
    pub(crate) endings: Arc<Endings>,
    /// Whether whoever asks is told that an address is taken.
    pub(crate) reveals_taken: bool,
}

/// Why the password is still the old one.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The current password is another one.
    #[error("the current password is not right")]
    InvalidCredentials,
    /// The new one is too easy to guess, or known from a breach.
    #[error(transparent)]
    Weak(#[from] Weakness),
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Why an account is not to move to another address.
#[derive(Debug, thiserror::Error)]
pub enum RequestEmailChangeError {
    /// The current password is another one.
    #[error("the current password is not right")]
    InvalidCredentials,
    /// The address has an account, and the operator wants that told.
    #[error("an account with this address exists")]
    EmailTaken,
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Why the profile stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum UpdateProfileError {
    /// There were too many changes.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Why an account still exists.
#[derive(Debug, thiserror::Error)]
pub enum DeleteAccountError {
    /// The current password is another one.
    #[error("the current password is not right")]
    InvalidCredentials,
    /// There were too many attempts.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl Accounts {
    /// The account that a request acts as. `None` when it was shut or deleted this very moment.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be read.
    pub async fn find(&self, viewer: Viewer) -> Result<Option<User>, Unexpected> {
        self.users.find(viewer.user_id).await
    }

    /// Sets another password, given the current one, and ends every session but the viewer's. Answers how many.
    ///
    /// # Errors
    /// See [`ChangePasswordError`].
    #[instrument(name = "service.change_password", skip_all)]
    pub async fn change_password(
        &self,
        viewer: Viewer,
        current: Password,
        new: Password,
        caller: &Caller,
    ) -> Result<usize, ChangePasswordError> {
        let invalid = ChangePasswordError::InvalidCredentials;
        let Some(Checked { credentials, requester }) =
            self.passwords.check_of(viewer, current, caller).await?
        else {
            return Err(invalid);
        };
        let hash = self.passwords.choose(&credentials.user, new, requester).await?;
        let now = self.clock.now();
        let notice = MailId::generate(now);
        let changed = self
            .changes
            .change_password(version(&credentials), &hash, viewer.session_id, notice, caller, now)
            .await?;
        // Somebody else has changed it since it was checked.
        let Some(ended) = changed else { return Err(invalid) };
        log_viewer(EventKind::PasswordChanged, viewer, caller);
        self.posting.announce(notice);
        Ok(self.endings.finish(ended).await?)
    }

    /// Mails a token to the address that the account is to move to, and a word to the one it has. Where the new one belongs
    /// to somebody else, they are told instead, and the caller cannot tell; unless the operator has chosen to tell.
    ///
    /// # Errors
    /// See [`RequestEmailChangeError`].
    #[instrument(name = "service.request_email_change", skip_all)]
    pub async fn request_email_change(
        &self,
        viewer: Viewer,
        new: &EmailAddress,
        current: Password,
        caller: &Caller,
    ) -> Result<(), RequestEmailChangeError> {
        let checked = self.passwords.check_of(viewer, current, caller).await?;
        checked.ok_or(RequestEmailChangeError::InvalidCredentials)?;
        self.limits.reserve(Attempt::RequestEmailChange(new), caller).await?;
        let now = self.clock.now();
        let requester = self.limits.unknown_mail_requester(caller);
        let mail = self.posting.token_mail(MailTokenPurpose::ConfirmEmailChange, requester, now);
        let notice = MailId::generate(now);
        let asked = self.changes.request_email_change(viewer, new, mail, notice, caller, now).await?;
        log_viewer(EventKind::EmailChangeRequested, viewer, caller);
        self.posting.announce(mail.id);
        self.posting.announce(notice);
        match asked {
            Registered::Taken if self.reveals_taken => Err(RequestEmailChangeError::EmailTaken),
            Registered::Taken | Registered::New => Ok(()),
        }
    }

    /// Moves the account to the address that the token was mailed to, and answers it.
    ///
    /// # Errors
    /// See [`MailTokenError`].
    #[instrument(name = "service.confirm_email_change", skip_all)]
    pub async fn confirm_email_change(
        &self,
        token: &str,
        caller: &Caller,
    ) -> Result<EmailAddress, MailTokenError> {
        let Some(presented) = self.posting.read(token, MailTokenPurpose::ConfirmEmailChange) else {
            self.limits.reserve(Attempt::Worthless, caller).await?;
            return Err(MailTokenError::Invalid);
        };
        self.limits.reserve(Attempt::UseMailToken(presented.id), caller).await?;
        let now = self.clock.now();
        let notice = MailId::generate(now);
        let moved = self.changes.confirm_email_change(presented, notice, caller, now).await?;
        let Confirmed { user_id, email, event } = moved.ok_or(MailTokenError::Invalid)?;
        if let Some(kind) = event {
            events::log(kind, Some(user_id), None, caller);
            self.posting.announce(notice);
        }
        Ok(email)
    }

    /// Changes what the account shows of its owner. `None` when it was shut or deleted this very moment.
    ///
    /// # Errors
    /// See [`UpdateProfileError`].
    #[instrument(name = "service.update_profile", skip_all)]
    pub async fn update_profile(
        &self,
        viewer: Viewer,
        change: &ProfileChange,
        caller: &Caller,
    ) -> Result<Option<User>, UpdateProfileError> {
        self.limits.reserve(Attempt::Write(viewer.user_id), caller).await?;
        let updated = self.changes.update_profile(viewer, change, caller, self.clock.now()).await?;
        let Some(updated) = updated else { return Ok(None) };
        if updated.has_changed {
            log_viewer(EventKind::ProfileChanged, viewer, caller);
        }
        Ok(Some(updated.user))
    }

    /// Deletes the account and everything personal in it. Answers how many sessions that ended.
    ///
    /// # Errors
    /// See [`DeleteAccountError`].
    #[instrument(name = "service.delete_account", skip_all)]
    pub async fn delete(
        &self,
        viewer: Viewer,
        current: Password,
        caller: &Caller,
    ) -> Result<usize, DeleteAccountError> {
        let invalid = DeleteAccountError::InvalidCredentials;
        let Some(checked) = self.passwords.check_of(viewer, current, caller).await? else {
            return Err(invalid);
        };
        let now = self.clock.now();
        let notice = MailId::generate(now);
        let deleted = self
            .changes
            .delete(version(&checked.credentials), viewer.session_id, notice, caller, now)
            .await?;
        let Some(ended) = deleted else {
            return Err(invalid);
        };
        log_viewer(EventKind::AccountDeleted, viewer, caller);
        self.posting.announce(notice);
        Ok(self.endings.finish(ended).await?)
    }
}

/// Logs what somebody has changed about their account.
fn log_viewer(kind: EventKind, viewer: Viewer, caller: &Caller) {
    events::log(kind, Some(viewer.user_id), Some(viewer.session_id), caller);
}

/// The account, and which of its passwords was checked.
fn version(checked: &Credentials) -> (crate::domain::UserId, crate::domain::PasswordVersion) {
    (checked.user.id, checked.password_version)
}

impl From<ChoiceError> for ChangePasswordError {
    fn from(error: ChoiceError) -> Self {
        match error {
            ChoiceError::Weak(weakness) => Self::Weak(weakness),
            ChoiceError::Unexpected(error) => Self::Unexpected(error),
        }
    }
}

from_limit_error!(ChangePasswordError, RequestEmailChangeError, UpdateProfileError, DeleteAccountError);
