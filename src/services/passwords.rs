//! Checking the passwords that people present, and hashing those that they choose.

use std::sync::Arc;

use crate::domain::{
    Caller, EmailAddress, EventKind, EventSubject, Password, PasswordPolicy, PersonName, Requester, User,
    Viewer, Weakness,
};
use crate::ports::{BreachedPasswords, Credentials, Match, PasswordHasher, Unexpected, Users};
use crate::services::limits::{LimitError, PasswordAttempt};
use crate::services::{Limits, Refusals};

/// What every use case with a password does.
pub(crate) struct Passwords {
    pub(crate) choice: PasswordChoice,
    pub(crate) users: Arc<dyn Users>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) refusals: Arc<Refusals>,
}

/// What hashes a password that somebody chooses.
pub struct PasswordChoice {
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    /// What nobody may choose, where the operator has a list of it.
    pub(crate) breached: Option<Arc<dyn BreachedPasswords>>,
    pub(crate) policy: PasswordPolicy,
}

/// Why a password cannot be chosen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChoiceError {
    /// It is too easy to guess, or known from a breach.
    #[error(transparent)]
    Weak(#[from] Weakness),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// An account whose password was right.
pub(crate) struct Checked {
    pub(crate) credentials: Credentials,
    /// Whose request it was.
    pub(crate) requester: Requester,
}

impl Passwords {
    /// The account that address and password belong to. Each refusal costs one verification, also where there is no account.
    pub(crate) async fn check(
        &self,
        email: &EmailAddress,
        password: Password,
        caller: &Caller,
    ) -> Result<Option<Credentials>, LimitError> {
        let attempt = self.limits.reserve_password(email, None, caller).await?;
        let found = match self.users.find_credentials(email).await {
            Ok(found) => found,
            Err(error) => return Err(self.cancel(attempt, error).await),
        };
        let checked = self.verify(attempt, found, password).await?;
        if checked.is_none() {
            self.refusals.note(EventKind::LoginFailed, EventSubject::Address(email.clone()), caller);
        }
        Ok(checked)
    }

    /// The same for an account that is signed in already, which is no licence to guess. `None` also where it is gone.
    pub(crate) async fn check_of(
        &self,
        viewer: Viewer,
        password: Password,
        caller: &Caller,
    ) -> Result<Option<Checked>, LimitError> {
        let Some(found) = self.users.find_credentials_of(viewer.user_id).await? else { return Ok(None) };
        let session = Some(viewer.session_id);
        let attempt = self.limits.reserve_password(&found.user.email, session, caller).await?;
        let requester = attempt.requester();
        let checked = self.verify(attempt, Some(found), password).await?;
        if checked.is_none() {
            self.refusals.note(EventKind::PasswordWrong, EventSubject::Account(viewer.user_id), caller);
        }
        let checked = checked.map(|credentials| Checked { credentials, requester });
        Ok(checked)
    }

    /// Hashes a password that `owner` is about to choose.
    pub(crate) async fn choose(
        &self,
        owner: &User,
        password: Password,
        requester: Requester,
    ) -> Result<String, ChoiceError> {
        self.choice.choose(known_of(owner), password, requester).await
    }

    /// Looks at a password, and lets the limits know how the attempt ended.
    async fn verify(
        &self,
        attempt: PasswordAttempt,
        found: Option<Credentials>,
        password: Password,
    ) -> Result<Option<Credentials>, LimitError> {
        let requester = attempt.requester();
        let hash = found.as_ref().and_then(|credentials| credentials.password_hash.clone());
        let outcome = match self.choice.hasher.verify(password.clone(), hash, requester).await {
            Ok(outcome) => outcome,
            Err(error @ Unexpected::Overloaded { .. }) => return Err(self.cancel(attempt, error).await),
            // It may have been looked at.
            Err(error) => return Err(error.into()),
        };
        let Some(credentials) = found.filter(|credentials| !credentials.disabled) else { return Ok(None) };
        match outcome {
            Match::No => return Ok(None),
            Match::Yes => {}
            Match::Outdated => self.rehash(&credentials, password, requester).await,
        }
        self.limits.succeeded(attempt).await;
        Ok(Some(credentials))
    }

    /// Gives back what an attempt was counted that did not reach a lane.
    async fn cancel(&self, attempt: PasswordAttempt, error: Unexpected) -> LimitError {
        self.limits.cancelled(attempt).await;
        error.into()
    }

    /// Hashes a password again with the current parameters, now that it is at hand. No login fails by this.
    async fn rehash(&self, owner: &Credentials, password: Password, requester: Requester) {
        let Some(old) = &owner.password_hash else { return };
        let rehashed = async {
            let new = self.choice.hasher.hash(password, requester).await?;
            self.users.rehash(owner.user.id, old, &new).await
        };
        if let Err(error) = rehashed.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a password keeps its outdated hash for now"
            );
        }
    }
}

impl PasswordChoice {
    /// Hashes a password that somebody is about to choose, unless it is too easy to guess or known from a breach. `known` is
    /// what an attacker knows of them.
    pub(crate) async fn choose(
        &self,
        known: Vec<String>,
        password: Password,
        requester: Requester,
    ) -> Result<String, ChoiceError> {
        self.judge(known, password.clone(), requester).await?;
        if let Some(breached) = &self.breached
            && breached.contains(&password).await?
        {
            return Err(Weakness::BREACHED.into());
        }
        Ok(self.hasher.hash(password, requester).await?)
    }

    /// Judges a password by its text.
    pub(crate) async fn judge(
        &self,
        known: Vec<String>,
        password: Password,
        requester: Requester,
    ) -> Result<(), ChoiceError> {
        match self.hasher.check_strength(password, self.policy, known, requester).await? {
            Some(weakness) => Err(weakness.into()),
            None => Ok(()),
        }
    }
}

/// What an attacker knows of an account's owner.
pub(crate) fn known_of(owner: &User) -> Vec<String> {
    let name = owner.name.as_ref().map(PersonName::as_str).unwrap_or_default();
    vec![owner.email.as_str().to_owned(), name.to_owned()]
}

#[cfg(test)]
mod tests;
