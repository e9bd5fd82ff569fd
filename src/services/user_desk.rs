//! What an operator does with accounts.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracing::instrument;

use super::passwords::{ChoiceError, known_of};
use super::{Endings, NewAccount, PasswordChoice};
use crate::domain::{EmailAddress, Requester, User, UserId, Weakness};
use crate::ports::{AccountRecord, Addition, Clock, HashFormats, Unexpected, UnusableHash, UserDirectory};

/// The commands `authql users …`. Nobody is mailed by any of them.
pub struct UserDesk {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<dyn UserDirectory>,
    pub(crate) formats: Arc<dyn HashFormats>,
    pub(crate) endings: Arc<Endings>,
}

/// What became of an account that was to be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// It is there now.
    Added,
    /// Its address had an account before, which was left as it is.
    AlreadyThere,
    /// It was left out.
    Refused(ImportRefusal),
}

/// Why an account cannot be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefusal {
    /// No login could be checked with its hash, or at too high a price.
    #[error(transparent)]
    Hash(#[from] UnusableHash),
    /// Its id is that of another account.
    #[error("another account has this id")]
    IdTaken,
}

/// Why an account was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// The address has an account.
    #[error("there is an account with this address already")]
    Taken,
    /// The password is too easy to guess, or known from a breach.
    #[error(transparent)]
    Weak(#[from] Weakness),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Why nothing was done to an account.
#[derive(Debug, thiserror::Error)]
pub enum UserDeskError {
    /// The address has no account.
    #[error("there is no account with this address")]
    NotFound,
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl UserDesk {
    /// The present instant, for what a record does not say.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Adds the accounts that are not there yet, and answers what became of each, in their order. What is added is durable,
    /// so an import that was broken off can be repeated from its beginning.
    ///
    /// # Errors
    /// [`Unexpected`] when none could be added.
    #[instrument(name = "service.import_users", skip_all)]
    pub async fn import(&self, accounts: Vec<AccountRecord>) -> Result<Vec<Imported>, Unexpected> {
        let vetted = accounts.iter().map(|account| match &account.password_hash {
            Some(hash) => self.formats.vet(hash),
            None => Ok(()),
        });
        let vetted: Vec<Result<(), UnusableHash>> = vetted.collect();
        let usable = accounts.into_iter().zip(&vetted).filter(|(_, vetted)| vetted.is_ok());
        let usable: Vec<AccountRecord> = usable.map(|(account, _)| account).collect();
        let mut additions = self.directory.add(&usable, self.clock.now()).await?.into_iter();
        let outcomes = vetted.into_iter().map(|vetted| match vetted {
            Err(unusable) => Imported::Refused(unusable.into()),
            Ok(()) => match additions.next() {
                Some(Addition::Added) => Imported::Added,
                Some(Addition::IdTaken) => Imported::Refused(ImportRefusal::IdTaken),
                Some(Addition::AddressTaken) | None => Imported::AlreadyThere,
            },
        });
        Ok(outcomes.collect())
    }

    /// A page of all accounts in the order of their ids, those after `last` only; nothing after the last one.
    ///
    /// # Errors
    /// [`Unexpected`] when they could not be read.
    pub async fn page(&self, last: Option<UserId>, count: u32) -> Result<Vec<AccountRecord>, Unexpected> {
        self.directory.page(last, count).await
    }

    /// Creates an account, with a password as strong as `choice` lets its owner choose it.
    ///
    /// # Errors
    /// See [`CreateUserError`].
    #[instrument(name = "service.create_user", skip_all)]
    pub async fn create(
        &self,
        account: NewAccount,
        is_verified: bool,
        choice: &PasswordChoice,
    ) -> Result<(), CreateUserError> {
        let NewAccount { email, password, name, locale } = account;
        let now = self.clock.now();
        let id = UserId::generate(now);
        let user =
            User { id, email, email_verified_at: is_verified.then_some(now), name, locale, created_at: now };
        let hash =
            choice.choose(known_of(&user), password, Requester::default()).await.map_err(
                |error| match error {
                    ChoiceError::Weak(weakness) => CreateUserError::Weak(weakness),
                    ChoiceError::Unexpected(error) => error.into(),
                },
            )?;
        let record = AccountRecord { user, password_hash: Some(hash), disabled_at: None };
        match self.directory.add(&[record], now).await?[..] {
            [Addition::Added] => {
                tracing::info!(user.id = %id, "an operator created an account");
                Ok(())
            }
            _ => Err(CreateUserError::Taken),
        }
    }

    /// Shuts an account: no login, no refresh, no access. Answers how many sessions were ended.
    ///
    /// # Errors
    /// See [`UserDeskError`].
    #[instrument(name = "service.disable_user", skip_all)]
    pub async fn disable(&self, email: &EmailAddress) -> Result<usize, UserDeskError> {
        let ended = self.directory.disable(email, self.clock.now()).await?.ok_or(UserDeskError::NotFound)?;
        Ok(self.endings.finish(ended).await?)
    }

    /// Opens an account that was shut. Its owner has to log in again.
    ///
    /// # Errors
    /// See [`UserDeskError`].
    #[instrument(name = "service.enable_user", skip_all)]
    pub async fn enable(&self, email: &EmailAddress) -> Result<(), UserDeskError> {
        if self.directory.enable(email, self.clock.now()).await? {
            Ok(())
        } else {
            Err(UserDeskError::NotFound)
        }
    }

    /// Deletes an account and everything personal in it. Answers how many sessions were ended.
    ///
    /// # Errors
    /// See [`UserDeskError`].
    #[instrument(name = "service.delete_user", skip_all)]
    pub async fn delete(&self, email: &EmailAddress) -> Result<usize, UserDeskError> {
        let ended = self.directory.delete(email, self.clock.now()).await?.ok_or(UserDeskError::NotFound)?;
        Ok(self.endings.finish(ended).await?)
    }
}
