//! How often what may be tried, and by whom: the table of limits is [`Limits::budgets`].
//!
//! An attempt is counted before it is made, so that a hundred at once are no more than a hundred in a row. Strangers share
//! the budgets of the account that they try, and of the network that they come from. Whoever has signed in on this device
//! before is no stranger: their attempts have a budget of their own, which nobody else can use up.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    Caller, DeviceId, DeviceInfo, EmailAddress, EventKind, EventSubject, KnownDevice, LimitPolicy, Pseudonym,
    Rate, SessionId,
};
use crate::ports::{
    Budget, BudgetKey, Clock, DeviceTokens, PasswordFailures, Pseudonyms, RateLimiter, Unexpected,
};
use crate::services::Refusals;

/// How often in a row the password of an account may be wrong (SP 800-63B-4 3.2.2), whoever tries.
const MOST_FAILURES: i32 = 100;
/// The same for strangers: the rest is kept for devices that are known.
const MOST_FAILURES_OF_STRANGERS: i32 = 80;

/// From all networks together, an account gets so many times what it gets from one.
const NETWORKS_AN_ACCOUNT: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
/// All networks together register so many times as often as one may.
const NETWORKS_REGISTERING: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// What the budgets of passwords are told from those of other operations by.
const PASSWORD: &str = "password";

/// The limits, and what they need.
pub struct Limits {
    pub(crate) clock: Arc<dyn Clock>,
    /// Counts for all instances.
    pub(crate) shared: Arc<dyn RateLimiter>,
    /// Counts for this instance alone.
    pub(crate) own: Arc<dyn RateLimiter>,
    pub(crate) failures: Arc<dyn PasswordFailures>,
    pub(crate) pseudonyms: Arc<dyn Pseudonyms>,
    pub(crate) devices: Arc<dyn DeviceTokens>,
    pub(crate) policy: LimitPolicy,
    pub(crate) refusals: Arc<Refusals>,
}

/// What somebody is about to do, passwords apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attempt<'a> {
    /// To make an account.
    Register(&'a EmailAddress),
    /// To have a confirmation mailed.
    ResendVerification(&'a EmailAddress),
    /// To have a way back in mailed.
    RequestPasswordReset(&'a EmailAddress),
    /// To have a confirmation mailed to another address.
    RequestEmailChange(&'a EmailAddress),
    /// To present a token from a mail.
    UseMailToken,
}

/// There were too many attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateLimited {
    /// The same attempt is admitted after this time.
    #[error("there were too many attempts")]
    Wait(Duration),
    /// No waiting helps.
    #[error(
        "too many passwords in a row were wrong for this address: sign in on a device where you have been signed in before, or \
         set a new password with `requestPasswordReset`"
    )]
    Stopped,
}

/// Why a password is not looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuessError {
    /// There were too many.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// A password that is about to be looked at, and has been counted as wrong. Whoever holds it says how it ended, unless it
/// was.
#[must_use]
pub(crate) struct Guess {
    account: Pseudonym,
    /// What it was counted against, the network apart.
    budgets: Vec<Budget>,
}

impl Attempt<'_> {
    /// Whose account it is about.
    fn subject(self) -> EventSubject {
        match self {
            Self::Register(email)
            | Self::ResendVerification(email)
            | Self::RequestPasswordReset(email)
            | Self::RequestEmailChange(email) => EventSubject::Address(email.clone()),
            Self::UseMailToken => EventSubject::Unknown,
        }
    }
}

impl Limits {
    /// Counts what somebody is about to do.
    pub(crate) async fn reserve(&self, attempt: Attempt<'_>, caller: &Caller) -> Result<(), RateLimited> {
        let reserved = self.shared.reserve(&self.budgets(attempt, &caller.device)).await;
        reserved.map_err(|wait| self.refuse(RateLimited::Wait(wait), attempt.subject(), caller))
    }

    /// Counts a refresh. Only its session's, whose token is genuine: the forged ones cost less than counting them would.
    pub(crate) async fn reserve_refresh(
        &self,
        session: SessionId,
        caller: &Caller,
    ) -> Result<(), RateLimited> {
        let Some(rate) = self.policy.session else { return Ok(()) };
        let budget = self.budget("session", &[&session.to_string()], rate);
        let reserved = self.own.reserve(&[budget]).await;
        reserved.map_err(|wait| self.refuse(RateLimited::Wait(wait), EventSubject::Session(session), caller))
    }

    /// Counts a password of the account with this address that is about to be looked at.
    pub(crate) async fn reserve_guess(
        &self,
        email: &EmailAddress,
        caller: &Caller,
    ) -> Result<Guess, GuessError> {
        let device = &caller.device;
        let refuse = |limited| self.refuse(limited, EventSubject::Address(email.clone()), caller);
        let wait = |wait| refuse(RateLimited::Wait(wait));
        let account = self.account(email);
        let Some(rate) = self.policy.account else {
            self.shared.reserve(&self.network(device)).await.map_err(wait)?;
            return Ok(Guess { account, budgets: Vec::new() });
        };
        let (budgets, network, most) = if let Some(known) = self.known_device(device, account) {
            (vec![self.device_budget(account, known, rate)], Vec::new(), MOST_FAILURES)
        } else {
            let budgets = self.strangers(PASSWORD, account, device, rate).to_vec();
            (budgets, self.network(device), MOST_FAILURES_OF_STRANGERS)
        };
        self.shared.reserve(&[network, budgets.clone()].concat()).await.map_err(wait)?;
        if !self.failures.reserve(account, most, self.clock.now()).await? {
            return Err(refuse(RateLimited::Stopped).into());
        }
        Ok(Guess { account, budgets })
    }

    /// The guess was right: its owner is there, and begins anew.
    pub(crate) async fn was_right(&self, guess: Guess) {
        if !guess.budgets.is_empty() {
            self.begin_anew(guess.account, &guess.budgets).await;
        }
    }

    /// The guess was not looked at, for reasons of ours: it is as if it had not been made.
    pub(crate) async fn was_not_made(&self, guess: Guess) {
        if guess.budgets.is_empty() {
            return;
        }
        self.shared.give_back(&guess.budgets).await;
        log_failure(self.failures.give_back(guess.account).await);
    }

    /// Somebody has shown in another way than by the password that the account is theirs.
    pub(crate) async fn forgive(&self, email: &EmailAddress, device: &DeviceInfo) {
        let account = self.account(email);
        if let Some(rate) = self.policy.account {
            self.begin_anew(account, &self.strangers(PASSWORD, account, device, rate)).await;
        }
    }

    /// What this device shall keep, now that the account has signed in on it. `None` where accounts have no limits.
    pub(crate) fn remember(&self, email: &EmailAddress, device: &DeviceInfo) -> Option<String> {
        self.policy.account?;
        let known = device.token().and_then(|text| self.devices.read(text));
        let known = known.unwrap_or_else(|| KnownDevice::new(DeviceId::generate(self.clock.now()), []));
        Some(self.devices.write(&known.with(self.account(email))))
    }

    /// Notes that somebody was refused, and hands the refusal back.
    fn refuse(&self, limited: RateLimited, subject: EventSubject, caller: &Caller) -> RateLimited {
        self.refusals.note(EventKind::Throttled, subject, caller);
        limited
    }

    /// The table: what is counted against which budgets. That of passwords is [`Self::reserve_guess`].
    fn budgets(&self, attempt: Attempt<'_>, device: &DeviceInfo) -> Vec<Budget> {
        let (address, everybody) = match attempt {
            Attempt::Register(email) => (Some(("register", email)), self.policy.network),
            Attempt::ResendVerification(email) => (Some(("resendVerification", email)), None),
            Attempt::RequestPasswordReset(email) => (Some(("requestPasswordReset", email)), None),
            Attempt::RequestEmailChange(email) => (Some(("requestEmailChange", email)), None),
            Attempt::UseMailToken => (None, None),
        };
        let mut budgets = self.network(device);
        if let (Some((operation, email)), Some(rate)) = (address, self.policy.account) {
            budgets.extend(self.strangers(operation, self.account(email), device, rate));
        }
        budgets.extend(everybody.map(|rate| self.budget("everybody", &[], rate.times(NETWORKS_REGISTERING))));
        budgets
    }

    /// All that a network may try, whatever it is.
    fn network(&self, device: &DeviceInfo) -> Vec<Budget> {
        let name = network_name(device);
        self.policy.network.map(|rate| self.budget("network", &[&name], rate)).into_iter().collect()
    }

    /// What strangers may try at one account: those of one network, and all of them.
    fn strangers(&self, operation: &str, account: Pseudonym, device: &DeviceInfo, rate: Rate) -> [Budget; 2] {
        let (account, network) = (account.to_string(), network_name(device));
        [
            self.budget("account-network", &[operation, &account, &network], rate),
            self.budget("account", &[operation, &account], rate.times(NETWORKS_AN_ACCOUNT)),
        ]
    }

    /// Those that may be tried on a device where the account has been signed in.
    fn device_budget(&self, account: Pseudonym, device: DeviceId, rate: Rate) -> Budget {
        self.budget("account-device", &[&account.to_string(), &device.to_string()], rate)
    }

    fn budget(&self, kind: &'static str, owner: &[&str], rate: Rate) -> Budget {
        Budget { key: BudgetKey { kind, owner: self.pseudonyms.of(owner) }, rate }
    }

    fn account(&self, email: &EmailAddress) -> Pseudonym {
        self.pseudonyms.of(&["account", &email.canonical()])
    }

    fn known_device(&self, device: &DeviceInfo, account: Pseudonym) -> Option<DeviceId> {
        let known = self.devices.read(device.token()?)?;
        known.knows(account).then_some(known.id)
    }

    async fn begin_anew(&self, account: Pseudonym, budgets: &[Budget]) {
        let keys: Vec<BudgetKey> = budgets.iter().map(|budget| budget.key).collect();
        self.shared.refill(&keys).await;
        log_failure(self.failures.forget(account).await);
    }
}

/// A request without a connection is one of a test; all of them are counted together.
fn network_name(device: &DeviceInfo) -> String {
    device.networks().map_or_else(String::new, |networks| networks.widest().to_string())
}

/// No login fails by what could not be forgotten: it is counted until the next one.
fn log_failure(outcome: Result<(), Unexpected>) {
    if let Err(error) = outcome {
        tracing::warn!(error = &error as &dyn std::error::Error, "failed passwords were not forgotten");
    }
}

#[cfg(test)]
pub(crate) mod tests;
