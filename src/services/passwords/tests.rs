//! What a login costs, counted instead of timed (docs/security.md LOG-2).

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::*;
use crate::domain::{Locale, PasswordVersion, UserId};
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
    async fn hash(&self, _: Password, _: Requester) -> Result<String, Unexpected> {
        Err(missing())
    }

    async fn check_strength(
        &self,
        _: Password,
        _: PasswordPolicy,
        _: Vec<String>,
        _: Requester,
    ) -> Result<Option<Weakness>, Unexpected> {
        Err(missing())
    }

    async fn verify(&self, _: Password, phc: Option<String>, _: Requester) -> Result<Match, Unexpected> {
        self.verified.lock().unwrap().push(phc.clone());
        Ok(match phc.as_deref() {
            Some("right") => Match::Yes,
            Some("right once") => Match::Outdated,
            _ => Match::No,
        })
    }
}

#[async_trait]
impl Users for World {
    async fn register(
        &self,
        _: NewUser,
        _: TokenMail,
        _: &Caller,
        _: DateTime<Utc>,
    ) -> Result<Registered, Unexpected> {
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

/// Whether a login succeeded, and what was verified for it.
async fn login(account: Option<Account>) -> (bool, Vec<Option<String>>) {
    let world = Arc::new(World { account, ..World::default() });
    let passwords = Passwords {
        choice: PasswordChoice {
            hasher: world.clone(),
            breached: None,
            policy: PasswordPolicy { min_length: 8 },
        },
        users: world.clone(),
        limits: Arc::new(crate::services::limits::tests::none()),
        refusals: crate::services::events::tests::unread(),
    };
    let (email, password) =
        (EmailAddress::parse("ada@example.com").unwrap(), Password::parse("a password").unwrap());
    let is_in = passwords.check(&email, password, &Caller::default()).await.unwrap().is_some();
    (is_in, world.verified.lock().unwrap().clone())
}

fn account(hash: Option<&'static str>, disabled: bool) -> Account {
    let email = EmailAddress::parse("ada@example.com").unwrap();
    Account { email, hash, disabled }
}

#[tokio::test]
async fn every_refused_login_costs_one_verification() {
    let cost = |hash: Option<&str>| (false, vec![hash.map(str::to_owned)]);
    assert_eq!(login(None).await, cost(None));
    assert_eq!(login(Some(account(Some("wrong"), false))).await, cost(Some("wrong")));
    assert_eq!(login(Some(account(Some("right"), true))).await, cost(Some("right")));
    assert_eq!(login(Some(account(None, false))).await, cost(None), "imported without a password");
}

/// PWD-6. The hasher of this world makes no new hashes.
#[tokio::test]
async fn no_login_fails_because_its_hash_could_not_be_renewed() {
    assert!(login(Some(account(Some("right once"), false))).await.0);
}
