//! What a login costs, counted instead of timed (SECURITY.md LOG-2).

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::*;
use crate::domain::{Locale, MailId, UserId};
use crate::ports::NewUser;

/// The world of a login: at most one account, and a hasher that keeps count. What a refused login never asks for is missing.
#[derive(Default)]
struct World {
    account: Option<(EmailAddress, bool)>,
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
    async fn register(&self, _: NewUser, _: DateTime<Utc>) -> Result<MailId, Unexpected> {
        Err(missing())
    }

    async fn find_credentials(&self, _: &EmailAddress) -> Result<Option<Credentials>, Unexpected> {
        Ok(self.account.clone().map(|(email, disabled)| Credentials {
            user: User {
                id: UserId::generate(DateTime::UNIX_EPOCH),
                email,
                email_verified_at: None,
                name: None,
                locale: Locale::default(),
                created_at: DateTime::UNIX_EPOCH,
            },
            password_hash: if disabled { "right" } else { "wrong" }.to_owned(),
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

/// How a login is refused, and what was verified for it.
async fn refused(account: Option<(EmailAddress, bool)>) -> (String, Vec<Option<String>>) {
    let world = Arc::new(World { account, ..World::default() });
    let hasher: Arc<dyn PasswordHasher> = world.clone();
    let users: Arc<dyn Users> = world.clone();
    let credentials =
        (EmailAddress::parse("ada@example.com").unwrap(), Password::parse("a password").unwrap());
    let outcome = check_credentials(&*users, &*hasher, &credentials.0, credentials.1).await;
    let refusal = outcome.unwrap_err().to_string();
    (refusal, world.verified.lock().unwrap().clone())
}

#[tokio::test]
async fn every_refused_login_costs_one_verification_and_reads_the_same() {
    let ada = EmailAddress::parse("ada@example.com").unwrap();
    let (unknown, nobody) = refused(None).await;
    let (wrong, somebody) = refused(Some((ada.clone(), false))).await;
    let (disabled, shut) = refused(Some((ada, true))).await;
    assert_eq!((nobody, somebody.len(), shut.len()), (vec![None], 1, 1));
    assert_eq!((&unknown, &unknown), (&wrong, &disabled));
}
