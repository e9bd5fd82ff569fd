//! What is counted, without what counts it.

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use std::num::NonZeroU32;

use super::password_attempts::MAX_FAILURES;
use super::*;
use crate::domain::{ClientNetwork, Rate};
use crate::ports::BudgetKey;

/// Counts nothing and admits everything but what is said to be empty, and writes down what it was asked to count.
#[derive(Default)]
struct Witness {
    asked: Mutex<Vec<&'static str>>,
    /// The kinds of budgets that have nothing left.
    empty: Vec<&'static str>,
    /// Whether every account was used from every network.
    knows_networks: bool,
}

#[async_trait]
impl RateLimiter for Witness {
    async fn reserve(&self, budgets: &[Budget]) -> Result<(), Duration> {
        self.asked.lock().unwrap().extend(budgets.iter().map(|budget| budget.key.kind));
        let is_empty = |budget: &Budget| self.empty.contains(&budget.key.kind);
        if budgets.iter().any(is_empty) { Err(Duration::from_secs(1)) } else { Ok(()) }
    }

    async fn give_back(&self, budgets: &[Budget]) {
        self.asked.lock().unwrap().extend(budgets.iter().map(|_| "given back"));
    }

    async fn refill(&self, _: &[BudgetKey]) {
        self.asked.lock().unwrap().push("refilled");
    }
}

#[async_trait]
impl PasswordFailures for Witness {
    async fn reserve(&self, _: Pseudonym, most: i32, _: DateTime<Utc>) -> Result<bool, Unexpected> {
        self.asked.lock().unwrap().push(if most == MAX_FAILURES { "hundred" } else { "eighty" });
        Ok(true)
    }

    async fn give_back(&self, _: Pseudonym) -> Result<(), Unexpected> {
        Ok(())
    }

    async fn forget(&self, _: Pseudonym) -> Result<(), Unexpected> {
        Ok(())
    }
}

#[async_trait]
impl KnownNetworks for Witness {
    async fn was_used_from(
        &self,
        _: &EmailAddress,
        _: ClientNetwork,
        _: DateTime<Utc>,
    ) -> Result<bool, Unexpected> {
        Ok(self.knows_networks)
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
        networks: witness.clone(),
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
    seen_by(Witness::default(), policy, attempt).await
}

async fn seen_by(witness: Witness, policy: LimitPolicy, attempt: impl AsyncFn(&Limits)) -> Vec<&'static str> {
    let witness = Arc::new(witness);
    attempt(&limits(&witness, policy)).await;
    witness.asked.lock().unwrap().clone()
}

const ON: LimitPolicy = LimitPolicy { network: RATE, account: RATE, session: RATE };

/// Somebody at an address of IPv4, which is counted at two widths.
fn somewhere() -> Caller {
    on(DeviceInfo::new(None, Some([192, 0, 2, 1].into())))
}

#[tokio::test]
async fn a_stranger_is_counted_everywhere_and_a_known_device_for_itself() {
    let stranger = counted(ON, async |limits| {
        limits.reserve_password(&ada(), None, &Caller::default()).await.map(drop).unwrap();
    });
    assert_eq!(stranger.await, ["network", "account-network", "account", "eighty"]);
    let known = counted(ON, async |limits| {
        let token = limits.remember(&ada(), &DeviceInfo::default()).unwrap();
        let device = DeviceInfo::default().with_token(Some(token.into()));
        limits.reserve_password(&ada(), None, &on(device)).await.map(drop).unwrap();
    });
    assert_eq!(known.await, ["network", "account-known", "hundred"]);
    let of_another_account = counted(ON, async |limits| {
        let token = limits.remember(&EmailAddress::parse("eve@example.com").unwrap(), &DeviceInfo::default());
        let device = DeviceInfo::default().with_token(token.map(Into::into));
        limits.reserve_password(&ada(), None, &on(device)).await.map(drop).unwrap();
    });
    assert_eq!(of_another_account.await, ["network", "account-network", "account", "eighty"]);
}

#[tokio::test]
async fn a_client_is_counted_at_each_width_of_its_network() {
    let kinds = counted(ON, async |limits| {
        limits.reserve_password(&ada(), None, &somewhere()).await.map(drop).unwrap();
    });
    assert_eq!(
        kinds.await,
        ["network", "network", "account-network", "account-network", "account", "eighty"]
    );
}

#[tokio::test]
async fn whoever_is_signed_in_has_a_budget_that_no_stranger_uses_up() {
    let session = SessionId::generate(DateTime::UNIX_EPOCH);
    let kinds = counted(ON, async |limits| {
        let attempt = limits.reserve_password(&ada(), Some(session), &Caller::default()).await.unwrap();
        assert!(attempt.requester().is_known);
    });
    assert_eq!(kinds.await, ["network", "account-session", "hundred"]);
}

/// Where strangers have used up what they share, who comes from a network of the account has something left, and nobody else.
#[tokio::test]
async fn a_network_that_the_account_knows_has_a_reserve() {
    for spent in ["account", "account-network", "network"] {
        let witness = Witness { empty: vec![spent], knows_networks: true, ..Witness::default() };
        let kinds = seen_by(witness, ON, async |limits| {
            let attempt = limits.reserve_password(&ada(), None, &somewhere()).await.unwrap();
            assert!(attempt.requester().is_known);
            limits.reserve(Attempt::RequestPasswordReset(&ada()), &somewhere()).await.ok();
        });
        assert!(kinds.await.ends_with(&["account-known"]) || spent == "account", "{spent}");
        let witness = Witness { empty: vec![spent], ..Witness::default() };
        seen_by(witness, ON, async |limits| {
            let refusal = limits.reserve_password(&ada(), None, &somewhere()).await.map(drop).unwrap_err();
            assert!(matches!(refusal, LimitError::RateLimited(RateLimited::Wait(_))), "{refusal:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_quiet_network_may_register_whatever_all_others_do() {
    let register = async |limits: &Limits| limits.reserve(Attempt::Register(&ada()), &somewhere()).await;
    let witness = Arc::new(Witness { empty: vec!["everybody"], ..Witness::default() });
    register(&limits(&witness, ON)).await.unwrap();
    let witness = Arc::new(Witness { empty: vec!["everybody", "quiet-register"], ..Witness::default() });
    register(&limits(&witness, ON)).await.unwrap_err();
}

#[tokio::test]
async fn success_fills_a_budget_so_often_and_what_was_not_looked_at_is_given_back_so_often() {
    let attempt = async |limits: &Limits| limits.reserve_password(&ada(), None, &somewhere()).await.unwrap();
    for (empty, refills) in [(vec![], true), (vec!["refills"], false)] {
        let kinds = seen_by(Witness { empty, ..Witness::default() }, ON, async |limits| {
            limits.succeeded(attempt(limits).await).await;
        });
        assert_eq!(kinds.await.contains(&"refilled"), refills);
    }
    for (empty, gives_back) in [(vec![], true), (vec!["given-back"], false)] {
        let kinds = seen_by(Witness { empty, ..Witness::default() }, ON, async |limits| {
            limits.cancelled(attempt(limits).await).await;
        });
        assert_eq!(kinds.await.contains(&"given back"), gives_back);
    }
}

#[tokio::test]
async fn each_kind_of_limit_can_be_off_alone() {
    let guess = async |limits: &Limits| {
        limits.reserve_password(&ada(), None, &Caller::default()).await.map(drop).unwrap();
        limits.reserve(Attempt::Register(&ada()), &Caller::default()).await.map(drop).unwrap();
    };
    let policy = LimitPolicy { network: RATE, account: None, session: None };
    assert_eq!(counted(policy, guess).await, ["network", "network", "everybody"]);
    let policy = LimitPolicy { network: None, account: RATE, session: None };
    assert_eq!(counted(policy, guess).await, ["account-network", "account", "eighty", "account-network"]);
    let nothing = LimitPolicy { network: None, account: None, session: None };
    let everything = async |limits: &Limits| {
        let (session, user) =
            (SessionId::generate(DateTime::UNIX_EPOCH), UserId::generate(DateTime::UNIX_EPOCH));
        for attempt in
            [Attempt::Write(user), Attempt::Enter(session), Attempt::UseSession(session), Attempt::Worthless]
        {
            limits.reserve(attempt, &somewhere()).await.map(drop).unwrap();
        }
    };
    assert!(counted(nothing, everything).await.is_empty());
    assert!(none().remember(&ada(), &DeviceInfo::default()).is_none(), "nothing to be known for");
}
