//! Passwords that are about to be looked at.

use super::budgets::{Known, Lane, LaneBudgets};
use super::{LimitError, Limits, RateLimited};
use crate::domain::{
    Caller, ClientNetworks, DeviceInfo, EmailAddress, EventSubject, Pseudonym, Requester, SessionId,
};
use crate::ports::{Budget, BudgetKey, Unexpected};

/// How often in a row the password of an account may be wrong (SP 800-63B-4 3.2.2), whoever tries.
pub(super) const MAX_FAILURES: i32 = 100;
/// The same for strangers: the rest is kept for whom the account knows.
pub(super) const MAX_FAILURES_OF_UNKNOWN: i32 = 80;

/// A password that is about to be looked at, and has been counted as wrong. Whoever holds it says how it ended, unless it
/// was.
#[must_use]
pub(crate) struct PasswordAttempt {
    account: Pseudonym,
    /// What a right one fills again.
    account_budgets: Vec<Budget>,
    network_budgets: Vec<Budget>,
    networks: Option<ClientNetworks>,
    is_known: bool,
}

impl PasswordAttempt {
    /// Whose work it is.
    pub(crate) fn requester(&self) -> Requester {
        Requester { networks: self.networks, is_known: self.is_known }
    }
}

impl Limits {
    /// Counts a password of the account with this address that is about to be looked at; in this session, for somebody who
    /// is signed in.
    ///
    /// # Errors
    /// See [`LimitError`].
    pub(crate) async fn reserve_password(
        &self,
        email: &EmailAddress,
        session: Option<SessionId>,
        caller: &Caller,
    ) -> Result<PasswordAttempt, LimitError> {
        let device = self.known_device(&caller.device, self.account(email));
        let lane = match (device, session) {
            (Some(device), _) => Lane::Known(Known::Device(device)),
            (None, Some(session)) => Lane::Session(session),
            (None, None) => Lane::Unknown,
        };
        match self.try_lane(lane, email, caller).await {
            Err(LimitError::RateLimited(limited)) => {
                let known = if lane == Lane::Unknown { self.known(email, caller).await? } else { None };
                if let Some(known) = known
                    && let Ok(attempt) = self.try_lane(Lane::Known(known), email, caller).await
                {
                    return Ok(attempt);
                }
                Err(self.refuse(limited, EventSubject::Address(email.clone()), caller).into())
            }
            outcome => outcome,
        }
    }

    async fn try_lane(
        &self,
        lane: Lane,
        email: &EmailAddress,
        caller: &Caller,
    ) -> Result<PasswordAttempt, LimitError> {
        let LaneBudgets { account: account_budgets, network: network_budgets } =
            self.lane_budgets(lane, email, caller);
        let budgets = [network_budgets.clone(), account_budgets.clone()].concat();
        self.shared.reserve(&budgets).await.map_err(RateLimited::Wait)?;
        let (is_known, account) = (lane != Lane::Unknown, self.account(email));
        let most = if is_known { MAX_FAILURES } else { MAX_FAILURES_OF_UNKNOWN };
        if self.policy.account.is_some() && !self.failures.reserve(account, most, self.clock.now()).await? {
            return Err(RateLimited::Stopped.into());
        }
        Ok(PasswordAttempt {
            account,
            account_budgets,
            network_budgets,
            networks: caller.device.networks(),
            is_known,
        })
    }

    /// It was right: its owner is there, and begins anew. Not without end: the budget of who is right again and again is
    /// only a higher one.
    pub(crate) async fn succeeded(&self, attempt: PasswordAttempt) {
        if !attempt.account_budgets.is_empty() {
            self.reset_failures_of(attempt.account, &attempt.account_budgets).await;
        }
    }

    /// It did not reach a hashing lane: it is as if it had not been made, for as long as the network gets something back.
    pub(crate) async fn cancelled(&self, attempt: PasswordAttempt) {
        if self.own.reserve(&self.budgets_of_giving_back(attempt.networks)).await.is_err() {
            return;
        }
        let counted = !attempt.account_budgets.is_empty();
        self.shared.give_back(&[attempt.network_budgets, attempt.account_budgets].concat()).await;
        if counted {
            log_failure(self.failures.give_back(attempt.account).await);
        }
    }

    /// Somebody has shown in another way than by the password that the account is theirs.
    pub(crate) async fn reset_failures(&self, email: &EmailAddress, device: &DeviceInfo) {
        let budgets = self.unknown_devices(email, device.networks());
        if !budgets.is_empty() {
            self.reset_failures_of(self.account(email), &budgets).await;
        }
    }

    async fn reset_failures_of(&self, account: Pseudonym, budgets: &[Budget]) {
        if self.shared.reserve(&self.budget_of_refills(account, budgets)).await.is_ok() {
            let keys: Vec<BudgetKey> = budgets.iter().map(|budget| budget.key).collect();
            self.shared.refill(&keys).await;
        }
        log_failure(self.failures.forget(account).await);
    }
}

/// No login fails by what could not be forgotten: it is counted until the next one.
fn log_failure(outcome: Result<(), Unexpected>) {
    if let Err(error) = outcome {
        tracing::warn!(error = &error as &dyn std::error::Error, "failed passwords were not forgotten");
    }
}
