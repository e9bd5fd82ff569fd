//! What a login costs, counted instead of timed (SECURITY.md LOG-2).

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::*;
use crate::domain::{Locale, PasswordVersion};
use crate::ports::{NewUser, Registered, TokenMail};

#[derive(Clone)]
struct Account {
    email: EmailAddress,
    hash: Option<&'static str>,
    disabled: bool,
}

/// The world of a login: at most one account, and a hasher that keeps count. What a refused login never asks for is missing.
#[derive(Default)]
struct World {
    account: Option<Account>,
    verified: Mutex<Vec<Option<String>>>,
}

#[async_trait]
impl PasswordHasher for World {
    async fn hash(&self, _: Password) -> Result<String, Unexpected> {
        Err(missing())
    }

    async fn verify(&self, _: Password, phc: Option<String>) -> Result<Match, Unexpected> {
        self.verified.lock().unwrap().push(phc.clone());
        Ok(if phc.as_deref() == Some("right") { Match::Yes } else { Match::No })
    }
}

#[async_trait]
impl Users for World {
    async fn register(&self, _: NewUser, _: TokenMail, _: DateTime<Utc>) -> Result<Registered, Unexpected> {
        Err(missing())
    }

    async fn find_credentials_of(&self, _: UserId) -> Result<Option<Credentials>, Unexpected> {
        Err(missing())
    }

    async fn find_credentials(&self, _: &EmailAddress) -> Result<Option<Credentials>, Unexpected> {
        Ok(self.account.clone().map(|Account { email, hash, disabled }| Credentials {
            user: User {
                id: UserId::generate(DateTime::UNIX_EPOCH),
                email,
                email_verified_at: None,
                name: None,
                locale: Locale::default(),
                created_at: DateTime::UNIX_EPOCH,
            },
            password_hash: hash.map(str::to_owned),
            password_version: PasswordVersion(1),
            disabled,
        }))
    }

    async fn rehash(&self, _: UserId, _: &str, _: &str) -> Result<(), Unexpected> {
        Err(missing())
    }

    async fn find(&self, _: UserId) -> Result<Option<User>, Unexpected> {
        Err(missing())
    }
}

fn missing() -> Unexpected {
    Unexpected::fault("a refused login", "never asks for this")
}

/// What was verified for a login that was refused.
async fn refused(account: Option<Account>) -> Vec<Option<String>> {
    let world = Arc::new(World { account, ..World::default() });
    let passwords =
        Passwords { hasher: world.clone(), users: world.clone(), policy: PasswordPolicy { min_length: 8 } };
    let (email, password) =
        (EmailAddress::parse("ada@example.com").unwrap(), Password::parse("a password").unwrap());
    assert!(passwords.check(&email, password).await.unwrap().is_none());
    world.verified.lock().unwrap().clone()
}

#[tokio::test]
async fn every_refused_login_costs_one_verification() {
    let account = |hash, disabled| {
        let email = EmailAddress::parse("ada@example.com").unwrap();
        Some(Account { email, hash, disabled })
    };
    assert_eq!(refused(None).await, [None]);
    assert_eq!(refused(account(Some("wrong"), false)).await, [Some("wrong".to_owned())]);
    assert_eq!(refused(account(Some("right"), true)).await, [Some("right".to_owned())]);
    assert_eq!(refused(account(None, false)).await, [None], "imported without a password");
}
