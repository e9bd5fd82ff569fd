//! The table of limits: which budgets there are, whose, and how high. A network is counted at each of its widths: the
//! narrowest gets what the operator allows a network, a wider one a fixed multiple of it.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Attempt, Limits};
use crate::domain::{
    Caller, ClientNetwork, ClientNetworks, DeviceId, EmailAddress, Pseudonym, Rate, SessionId,
};
use crate::ports::{Budget, BudgetKey};

/// From all networks together, an account gets so many times what it gets from one.
const ALL_NETWORKS: NonZeroU32 = count(3);
/// The wider networks of a client get so many times what one account gets from the narrowest: a neighbour who attacks it is
/// not to be all that it hears of.
const WIDER_NETWORK: NonZeroU32 = count(2);
/// All networks together register so many times as often as one may.
const ALL_REGISTRATIONS: NonZeroU32 = count(20);
/// What one that has been quiet may register all the same, when all together have had enough.
const QUIET_REGISTRATIONS: Rate = Rate { count: count(2), period: Duration::from_hours(1) };
/// A mailed token may be tried so many times as often as a password: whoever has it may still choose weak passwords.
const MAIL_TOKEN: NonZeroU32 = count(5);
/// A right password fills what was used up so many times as often as a wrong one is looked at.
pub(super) const REFILLS: NonZeroU32 = count(5);
/// What is worthless costs next to nothing, and a network may send so many times as much of it as of anything else.
const WORTHLESS: NonZeroU32 = count(10);
/// So many times as often as one address, a wide network may ask whether an account was used from it.
const LOOKING: NonZeroU32 = count(16);

const MINUTE: Duration = Duration::from_mins(1);
/// Changes of one's own account. A person who ends a hundred sessions one by one does not meet it.
const WRITES: Rate = Rate { count: count(120), period: MINUTE };
/// What one session may ask for with its access token: a hundred times a second. No honest client comes near it.
const ENTRIES: Rate = Rate { count: count(6000), period: MINUTE };

/// What the budgets of passwords are told from those of other operations by.
const PASSWORD: &str = "password";

/// What an account knows of where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// A device where it has been signed in.
    Device(DeviceId),
    /// A network from which it has been.
    Network(ClientNetwork),
}

/// Whose password budget an attempt draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// That of everybody of whom the account knows nothing.
    Unknown,
    /// That of a device or network which the account knows: nobody else can use it up.
    Known(Known),
    /// That of a session, for somebody who is signed in.
    Session(SessionId),
}

/// Budgets of an attempt.
pub(super) struct LaneBudgets {
    /// Those of the account, which a right password fills again.
    pub(super) account: Vec<Budget>,
    /// Those of the network, which it does not fill: an attacker with one account would have no limit.
    pub(super) network: Vec<Budget>,
}

impl Limits {
    /// What is counted against which budgets. That of passwords is [`Self::lane_budgets`].
    pub(super) fn budgets(&self, attempt: Attempt<'_>, caller: &Caller) -> Vec<Budget> {
        let networks = caller.device.networks();
        let network = |purpose| self.network(purpose, networks, NonZeroU32::MIN);
        let session_rate = self.policy.session;
        match attempt {
            Attempt::Register(email) => {
                let everybody = self.one("everybody", "register", self.policy.network, ALL_REGISTRATIONS);
                [self.own_registrations(email, networks), everybody].concat()
            }
            Attempt::RegisterWithMistakes => network("register"),
            Attempt::ResendVerification(email)
            | Attempt::RequestPasswordReset(email)
            | Attempt::RequestEmailChange(email) => {
                [network("mail"), self.account_from_network(attempt.purpose(), email, networks)].concat()
            }
            Attempt::UseMailToken(id) => {
                self.one("mail-token", &id.to_string(), self.policy.account, MAIL_TOKEN)
            }
            Attempt::Write(user) => self.fixed("writes", &user.to_string(), WRITES),
            Attempt::Enter(session) => self.fixed("entries", &session.to_string(), ENTRIES),
            Attempt::UseSession(session) => {
                self.one("session", &session.to_string(), session_rate, NonZeroU32::MIN)
            }
            Attempt::Worthless => self.network("worthless", networks, WORTHLESS),
        }
    }

    /// What a network that has been quiet may register, whatever all others do.
    pub(super) fn budgets_of_quiet(&self, email: &EmailAddress, caller: &Caller) -> Vec<Budget> {
        let networks = caller.device.networks();
        let quiet = self.policy.network.map(|_| QUIET_REGISTRATIONS);
        let quiet = quiet.map(|rate| self.widths_of("quiet-register", "", networks, rate, |times| times));
        [self.own_registrations(email, networks), quiet.unwrap_or_default()].concat()
    }

    /// What a network may register, the budget of all together apart.
    fn own_registrations(&self, email: &EmailAddress, networks: Option<ClientNetworks>) -> Vec<Budget> {
        let account = self.account_from_network("register", email, networks);
        [self.network("register", networks, NonZeroU32::MIN), account].concat()
    }

    /// What somebody whom the account knows may ask for, when strangers have used up what they share.
    pub(super) fn reserve_of(&self, attempt: Attempt<'_>, email: &EmailAddress, known: Known) -> Vec<Budget> {
        let (account, known) = (self.account(email).to_string(), known.to_string());
        let owner = [attempt.purpose(), &account, &known];
        self.policy.account.map(|rate| self.budget("account-known", &owner, rate)).into_iter().collect()
    }

    /// How often the database is asked for what an account knows.
    pub(super) fn budgets_of_looking(&self, networks: ClientNetworks) -> Vec<Budget> {
        let Some(rate) = self.policy.network else { return Vec::new() };
        let of = |network: ClientNetwork, rate| self.budget("looking", &[&network.to_string()], rate);
        vec![of(networks.narrowest(), rate), of(networks.widest(), rate.times(LOOKING))]
    }

    /// What a password of this account is counted against.
    pub(super) fn lane_budgets(&self, lane: Lane, email: &EmailAddress, caller: &Caller) -> LaneBudgets {
        let networks = caller.device.networks();
        let account = self.account(email).to_string();
        let of = |kind, owner: String| {
            let budget = |rate| self.budget(kind, &[PASSWORD, &account, &owner], rate);
            self.policy.account.map(budget).into_iter().collect()
        };
        let network = |purpose| self.network(purpose, networks, NonZeroU32::MIN);
        match lane {
            Lane::Unknown => {
                LaneBudgets { account: self.unknown_devices(email, networks), network: network(PASSWORD) }
            }
            Lane::Known(known @ Known::Device(_)) => LaneBudgets {
                account: of("account-known", known.to_string()),
                network: network("known-device"),
            },
            // Strangers there have used up what the network may try.
            Lane::Known(known @ Known::Network(_)) => {
                LaneBudgets { account: of("account-known", known.to_string()), network: Vec::new() }
            }
            Lane::Session(session) => LaneBudgets {
                account: of("account-session", session.to_string()),
                network: network("signed-in"),
            },
        }
    }

    /// What everybody of whom the account knows nothing may try at it: those of one network, and all of them.
    pub(super) fn unknown_devices(
        &self,
        email: &EmailAddress,
        networks: Option<ClientNetworks>,
    ) -> Vec<Budget> {
        let account = self.account(email).to_string();
        let all = |rate: Rate| self.budget("account", &[PASSWORD, &account], rate.times(ALL_NETWORKS));
        let all = self.policy.account.map(all);
        self.account_from_network(PASSWORD, email, networks).into_iter().chain(all).collect()
    }

    /// How often a right password fills these budgets again.
    pub(super) fn budget_of_refills(&self, account: Pseudonym, of: &[Budget]) -> Vec<Budget> {
        let owner: Vec<String> = of.iter().take(1).map(|budget| budget.key.owner.to_string()).collect();
        let owner = owner.first().map_or("", String::as_str);
        let budget = |rate: Rate| self.budget("refills", &[&account.to_string(), owner], rate.times(REFILLS));
        self.policy.account.map(budget).into_iter().collect()
    }

    /// How often a network gets back what it was refused before it reached a lane.
    pub(super) fn budgets_of_giving_back(&self, networks: Option<ClientNetworks>) -> Vec<Budget> {
        let Some(rate) = self.policy.network else { return Vec::new() };
        self.widths_of("given-back", "", networks, rate, |times| times)
    }

    /// What one network may try at one account, in this way.
    fn account_from_network(
        &self,
        purpose: &str,
        email: &EmailAddress,
        networks: Option<ClientNetworks>,
    ) -> Vec<Budget> {
        let account = self.account(email).to_string();
        let Some(rate) = self.policy.account else { return Vec::new() };
        let owner = format!("{purpose} {account}");
        self.widths_of("account-network", &owner, networks, rate, |times| times.min(WIDER_NETWORK))
    }

    /// What a network may try for this purpose: `times` as much as the operator says.
    fn network(&self, purpose: &str, networks: Option<ClientNetworks>, times: NonZeroU32) -> Vec<Budget> {
        let Some(rate) = self.policy.network else { return Vec::new() };
        self.widths_of("network", purpose, networks, rate.times(times), |times| times)
    }

    /// One budget for each width of a network.
    fn widths_of(
        &self,
        kind: &'static str,
        owner: &str,
        networks: Option<ClientNetworks>,
        rate: Rate,
        multiple: impl Fn(NonZeroU32) -> NonZeroU32,
    ) -> Vec<Budget> {
        let Some(networks) = networks else {
            // A request without a connection is one of a test; all of them are counted together.
            return vec![self.budget(kind, &[owner, ""], rate)];
        };
        let of = |(network, times): (ClientNetwork, NonZeroU32)| {
            self.budget(kind, &[owner, &network.to_string()], rate.times(multiple(times)))
        };
        networks.narrowest_first().map(of).collect()
    }

    fn one(&self, kind: &'static str, owner: &str, rate: Option<Rate>, times: NonZeroU32) -> Vec<Budget> {
        rate.map(|rate| self.budget(kind, &[owner], rate.times(times))).into_iter().collect()
    }

    /// A height that no operator changes, where limits are on.
    fn fixed(&self, kind: &'static str, owner: &str, rate: Rate) -> Vec<Budget> {
        self.one(kind, owner, self.policy.session.map(|_| rate), NonZeroU32::MIN)
    }

    fn budget(&self, kind: &'static str, owner: &[&str], rate: Rate) -> Budget {
        Budget { key: BudgetKey { kind, owner: self.pseudonyms.of(owner) }, rate }
    }
}

impl Attempt<'_> {
    /// What mails and accounts are counted apart by.
    fn purpose(self) -> &'static str {
        match self {
            Self::Register(_) | Self::RegisterWithMistakes => "register",
            Self::ResendVerification(_) => "resendVerification",
            Self::RequestPasswordReset(_) => "requestPasswordReset",
            Self::RequestEmailChange(_) => "requestEmailChange",
            Self::UseMailToken(_) => "mail-token",
            Self::Write(_) => "write",
            Self::Enter(_) => "enter",
            Self::UseSession(_) => "session",
            Self::Worthless => "worthless",
        }
    }
}

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Device(device) => write!(f, "device {device}"),
            Self::Network(network) => write!(f, "network {network}"),
        }
    }
}

/// A number that is not 0.
const fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(number.saturating_sub(1))
}
