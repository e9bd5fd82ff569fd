//! What is counted, without what counts it.

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::*;

/// Counts nothing and admits everything, but writes down what it was asked to count.
#[derive(Default)]
struct Witness(Mutex<Vec<&'static str>>);

#[async_trait]
impl RateLimiter for Witness {
    async fn reserve(&self, budgets: &[Budget]) -> Result<(), Duration> {
        self.0.lock().unwrap().extend(budgets.iter().map(|budget| budget.key.kind));
        Ok(())
    }

    async fn give_back(&self, _: &[Budget]) {}

    async fn refill(&self, _: &[BudgetKey]) {}
}

#[async_trait]
impl PasswordFailures for Witness {
    async fn reserve(&self, _: Pseudonym, most: i32, _: DateTime<Utc>) -> Result<bool, Unexpected> {
        self.0.lock().unwrap().push(if most == MOST_FAILURES { "hundred" } else { "eighty" });
        Ok(true)
    }

    async fn give_back(&self, _: Pseudonym) -> Result<(), Unexpected> {
        Ok(())
    }

    async fn forget(&self, _: Pseudonym) -> Result<(), Unexpected> {
        Ok(())
    }
}

impl Pseudonyms for Witness {
    fn of(&self, texts: &[&str]) -> Pseudonym {
        let mut bytes = [0; 16];
        texts.concat().bytes().enumerate().for_each(|(at, byte)| bytes[at % 16] ^= byte);
        Pseudonym(bytes)
    }
}

/// Tokens that anybody can write: the first byte of the account that the device is known for.
impl DeviceTokens for Witness {
    fn write(&self, device: &KnownDevice) -> String {
        device.accounts()[0].to_string()
    }

    fn read(&self, text: &str) -> Option<KnownDevice> {
        let account = u128::from_str_radix(text, 16).ok()?;
        let id = DeviceId::generate(DateTime::UNIX_EPOCH);
        Some(KnownDevice::new(id, [Pseudonym(account.to_be_bytes())]))
    }
}

impl Clock for Witness {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
}

fn limits(witness: &Arc<Witness>, policy: LimitPolicy) -> Limits {
    Limits {
        clock: witness.clone(),
        shared: witness.clone(),
        own: witness.clone(),
        failures: witness.clone(),
        pseudonyms: witness.clone(),
        devices: witness.clone(),
        policy,
        refusals: crate::services::events::tests::unread(),
    }
}

/// For tests of other services: everybody may try what they like.
pub(crate) fn none() -> Limits {
    limits(&Arc::default(), LimitPolicy { network: None, account: None, session: None })
}

const RATE: Option<Rate> = Some(Rate { count: NonZeroU32::MIN, period: Duration::from_mins(1) });

fn ada() -> EmailAddress {
    EmailAddress::parse("ada@example.com").unwrap()
}

/// Somebody on this device.
fn on(device: DeviceInfo) -> Caller {
    Caller { device, ..Caller::default() }
}

/// What an attempt is counted against.
async fn counted(policy: LimitPolicy, attempt: impl AsyncFn(&Limits)) -> Vec<&'static str> {
    let witness = Arc::new(Witness::default());
    attempt(&limits(&witness, policy)).await;
    witness.0.lock().unwrap().clone()
}

#[tokio::test]
async fn a_stranger_is_counted_everywhere_and_a_known_device_for_itself() {
    let policy = LimitPolicy { network: RATE, account: RATE, session: RATE };
    let stranger = counted(policy, async |limits| {
        limits.reserve_guess(&ada(), &Caller::default()).await.map(drop).unwrap();
    });
    assert_eq!(stranger.await, ["network", "account-network", "account", "eighty"]);
    let known = counted(policy, async |limits| {
        let token = limits.remember(&ada(), &DeviceInfo::default()).unwrap();
        let device = DeviceInfo::default().with_token(Some(token.into()));
        limits.reserve_guess(&ada(), &on(device)).await.map(drop).unwrap();
    });
    assert_eq!(known.await, ["account-device", "hundred"]);
    let of_another_account = counted(policy, async |limits| {
        let token = limits.remember(&EmailAddress::parse("eve@example.com").unwrap(), &DeviceInfo::default());
        let device = DeviceInfo::default().with_token(token.map(Into::into));
        limits.reserve_guess(&ada(), &on(device)).await.map(drop).unwrap();
    });
    assert_eq!(of_another_account.await, ["network", "account-network", "account", "eighty"]);
}

#[tokio::test]
async fn each_kind_of_limit_can_be_off_alone() {
    let guess = async |limits: &Limits| {
        limits.reserve_guess(&ada(), &Caller::default()).await.map(drop).unwrap();
        limits.reserve(Attempt::Register(&ada()), &Caller::default()).await.unwrap();
    };
    let policy = LimitPolicy { network: RATE, account: None, session: None };
    assert_eq!(counted(policy, guess).await, ["network", "network", "everybody"]);
    let policy = LimitPolicy { network: None, account: RATE, session: None };
    assert_eq!(
        counted(policy, guess).await,
        ["account-network", "account", "eighty", "account-network", "account"]
    );
    assert!(none().remember(&ada(), &DeviceInfo::default()).is_none(), "nothing to be known for");
}
