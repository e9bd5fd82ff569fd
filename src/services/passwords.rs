//! Checking the passwords that people present, and hashing those that they choose.

use std::sync::Arc;

use crate::domain::{
    Caller, EmailAddress, EventKind, EventSubject, Password, PasswordPolicy, PersonName, Requester, User,
    UserId, Weakness,
};
use crate::ports::{BreachedPasswords, Credentials, Match, PasswordHasher, Unexpected, Users};
use crate::services::limits::{Guess, GuessError};
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

impl Passwords {
    /// The account that address and password belong to. Each refusal costs one verification, also where there is no account.
    pub(crate) async fn check(
        &self,
        email: &EmailAddress,
        password: Password,
        caller: &Caller,
    ) -> Result<Option<Credentials>, GuessError> {
        let guess = self.limits.reserve_guess(email, caller).await?;
        let checked = match self.users.find_credentials(email).await {
            Ok(found) => self.verify(found, password).await,
            Err(error) => Err(error),
        };
        let checked = self.settle(guess, checked).await?;
        if checked.is_none() {
            self.refusals.note(EventKind::LoginFailed, EventSubject::Address(email.clone()), caller);
        }
        Ok(checked)
    }

    /// The same for an account that is signed in already, which is no licence to guess. `None` also where it is gone.
    pub(crate) async fn check_of(
        &self,
        id: UserId,
        password: Password,
        caller: &Caller,
    ) -> Result<Option<Credentials>, GuessError> {
        let Some(found) = self.users.find_credentials_of(id).await? else { return Ok(None) };
        let guess = self.limits.reserve_guess(&found.user.email, caller).await?;
        let checked = self.verify(Some(found), password).await;
        let checked = self.settle(guess, checked).await?;
        if checked.is_none() {
            self.refusals.note(EventKind::PasswordWrong, EventSubject::Account(id), caller);
        }
        Ok(checked)
    }

    /// Hashes a password that `owner` is about to choose.
    pub(crate) async fn choose(&self, owner: &User, password: Password) -> Result<String, ChoiceError> {
        self.choice.choose(owner, password).await
    }

    /// Hashes a password that is about to be chosen and has been judged by its text already.
    pub(crate) async fn choose_judged(&self, password: Password) -> Result<String, ChoiceError> {
        self.choice.choose_judged(password).await
    }

    async fn verify(
        &self,
        found: Option<Credentials>,
        password: Password,
    ) -> Result<Option<Credentials>, Unexpected> {
        let hash = found.as_ref().and_then(|credentials| credentials.password_hash.clone());
        let outcome = self.choice.hasher.verify(password.clone(), hash, Requester::default()).await?;
        let Some(credentials) = found.filter(|credentials| !credentials.disabled) else { return Ok(None) };
        match outcome {
            Match::No => return Ok(None),
            Match::Yes => {}
            Match::Outdated => self.rehash(&credentials, password).await,
        }
        Ok(Some(credentials))
    }

    /// Lets the limits know how a guess ended.
    async fn settle(
        &self,
        guess: Guess,
        checked: Result<Option<Credentials>, Unexpected>,
    ) -> Result<Option<Credentials>, GuessError> {
        match &checked {
            Ok(Some(_)) => self.limits.was_right(guess).await,
            Ok(None) => {}
            Err(_) => self.limits.was_not_made(guess).await,
        }
        Ok(checked?)
    }

    /// Hashes a password again with the current parameters, now that it is at hand. No login fails by this.
    async fn rehash(&self, owner: &Credentials, password: Password) {
        let Some(old) = &owner.password_hash else { return };
        let rehashed = async {
            let new = self.choice.hasher.hash(password, Requester::default()).await?;
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
    /// Hashes a password that `owner` is about to choose, unless it is too easy to guess or known from a breach.
    pub(crate) async fn choose(&self, owner: &User, password: Password) -> Result<String, ChoiceError> {
        let name = owner.name.as_ref().map(PersonName::as_str).unwrap_or_default();
        password.check_strength(self.policy, &[owner.email.as_str(), name])?;
        self.choose_judged(password).await
    }

    /// The same for a password that has been judged by its text already.
    async fn choose_judged(&self, password: Password) -> Result<String, ChoiceError> {
        if let Some(breached) = &self.breached
            && breached.contains(&password).await?
        {
            return Err(Weakness::BREACHED.into());
        }
        Ok(self.hasher.hash(password, Requester::default()).await?)
    }
}

#[cfg(test)]
mod tests;
