//! How often what may be tried, and by whom. What is counted against which budgets, the table in [`budgets`] says.
//!
//! An attempt is counted before anything costly is done for it, so that a hundred at once are no more than a hundred in a
//! row. No lane is free: a known device, a signed-in person and a success have budgets too, only higher ones. And no
//! stranger uses up what an owner needs to get in: what strangers share is not all there is.

mod budgets;
mod password_attempts;

use std::sync::Arc;
use std::time::Duration;

use self::budgets::Known;
use crate::domain::{
    Caller, DeviceId, DeviceInfo, EmailAddress, EventKind, EventSubject, KnownDevice, LimitPolicy, MailId,
    MailRequester, Pseudonym, Requester, SessionId, UserId,
};
use crate::ports::{
    Budget, Clock, DeviceTokens, KnownNetworks, PasswordFailures, Pseudonyms, RateLimiter, Unexpected,
};
use crate::services::Refusals;

pub(crate) use self::password_attempts::PasswordAttempt;

/// The limits, and what they need.
pub struct Limits {
    pub(crate) clock: Arc<dyn Clock>,
    /// Counts for all instances.
    pub(crate) shared: Arc<dyn RateLimiter>,
    /// Counts for this instance alone, and waits for nothing.
    pub(crate) own: Arc<dyn RateLimiter>,
    pub(crate) failures: Arc<dyn PasswordFailures>,
    pub(crate) pseudonyms: Arc<dyn Pseudonyms>,
    pub(crate) devices: Arc<dyn DeviceTokens>,
    pub(crate) networks: Arc<dyn KnownNetworks>,
    pub(crate) policy: LimitPolicy,
    pub(crate) refusals: Arc<Refusals>,
}

/// What somebody is about to do, passwords apart: those are [`Limits::reserve_password`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attempt<'a> {
    /// To make an account.
    Register(&'a EmailAddress),
    /// To have a form with mistakes judged, of somebody who would make an account.
    RegisterWithMistakes,
    /// To have a confirmation mailed.
    ResendVerification(&'a EmailAddress),
    /// To have a way back in mailed.
    RequestPasswordReset(&'a EmailAddress),
    /// To have a confirmation mailed to another address.
    RequestEmailChange(&'a EmailAddress),
    /// To present a token that was really mailed.
    UseMailToken(MailId),
    /// To change something of one's own account that needs no password.
    Write(UserId),
    /// To be let in with an access token.
    Enter(SessionId),
    /// To go on with a session, or to end it, with a genuine token of it.
    UseSession(SessionId),
    /// What no honest client sends often: a form with mistakes, a token that is none of ours, or none at all.
    Worthless,
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

/// Why an attempt is not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LimitError {
    /// There were too many.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Not for clients.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// An attempt that has been counted.
#[derive(Debug)]
pub(crate) struct Reservation {
    /// Whose work it is, for the queue of the hashing lanes.
    pub(crate) requester: Requester,
    budgets: Vec<Budget>,
}

/// What a use case makes of an attempt that is not made: the two kinds of refusal that nearly every one has.
macro_rules! from_limit_error {
    ($($error:ty),+) => {$(
        impl From<$crate::services::limits::LimitError> for $error {
            fn from(error: $crate::services::limits::LimitError) -> Self {
                match error {
                    $crate::services::limits::LimitError::RateLimited(limited) => Self::RateLimited(limited),
                    $crate::services::limits::LimitError::Unexpected(error) => Self::Unexpected(error),
                }
            }
        }
    )+};
}
pub(crate) use from_limit_error;

impl Attempt<'_> {
    /// Whose account it is about.
    fn subject(self) -> EventSubject {
        match self {
            Self::Register(email)
            | Self::ResendVerification(email)
            | Self::RequestPasswordReset(email)
            | Self::RequestEmailChange(email) => EventSubject::Address(email.clone()),
            Self::Write(user) => EventSubject::Account(user),
            Self::Enter(session) | Self::UseSession(session) => EventSubject::Session(session),
            Self::RegisterWithMistakes | Self::UseMailToken(_) | Self::Worthless => EventSubject::Unknown,
        }
    }

    /// Whether each instance counts it for itself: it is too frequent, or too cheap, for a trip to Redis.
    fn is_counted_here(self) -> bool {
        match self {
            Self::Write(_) | Self::Enter(_) | Self::UseSession(_) | Self::Worthless => true,
            Self::Register(_)
            | Self::RegisterWithMistakes
            | Self::ResendVerification(_)
            | Self::RequestPasswordReset(_)
            | Self::RequestEmailChange(_)
            | Self::UseMailToken(_) => false,
        }
    }
}

impl Limits {
    /// Counts what somebody is about to do.
    ///
    /// # Errors
    /// See [`LimitError`].
    pub(crate) async fn reserve(
        &self,
        attempt: Attempt<'_>,
        caller: &Caller,
    ) -> Result<Reservation, LimitError> {
        let limiter = if attempt.is_counted_here() { &self.own } else { &self.shared };
        let requester = Requester::unknown(caller.device.networks());
        let budgets = self.budgets(attempt, caller);
        let Err(wait) = limiter.reserve(&budgets).await else {
            return Ok(Reservation { requester, budgets });
        };
        let others = match attempt {
            Attempt::Register(email) => Some(self.budgets_of_quiet(email, caller)),
            Attempt::RequestPasswordReset(email) | Attempt::ResendVerification(email) => {
                let known = self.known(email, caller).await?;
                known.map(|known| self.reserve_of(attempt, email, known))
            }
            Attempt::RegisterWithMistakes
            | Attempt::RequestEmailChange(_)
            | Attempt::UseMailToken(_)
            | Attempt::Write(_)
            | Attempt::Enter(_)
            | Attempt::UseSession(_)
            | Attempt::Worthless => None,
        };
        if let Some(budgets) = others
            && self.shared.reserve(&budgets).await.is_ok()
        {
            return Ok(Reservation { requester, budgets });
        }
        Err(self.refuse(RateLimited::Wait(wait), attempt.subject(), caller).into())
    }

    /// Gives back what an attempt was counted that did not reach a hashing lane. A network gets back only so much, or whoever
    /// fills the queue could fill it for ever.
    pub(crate) async fn give_back(&self, reservation: Reservation) {
        let networks = reservation.requester.networks;
        if self.own.reserve(&self.budgets_of_giving_back(networks)).await.is_ok() {
            self.shared.give_back(&reservation.budgets).await;
        }
    }

    /// Counts a form with mistakes, of which no use case hears.
    ///
    /// # Errors
    /// [`RateLimited`] for somebody who sends nothing else.
    pub async fn count_mistake(&self, caller: &Caller) -> Result<(), RateLimited> {
        let counted = self.own.reserve(&self.budgets(Attempt::Worthless, caller)).await;
        counted.map_err(|wait| self.refuse(RateLimited::Wait(wait), EventSubject::Unknown, caller))
    }

    /// Whom a mail to the owner of this address is counted against.
    ///
    /// # Errors
    /// [`Unexpected`] when it could not be found out whether the account knows them.
    pub(crate) async fn mail_requester(
        &self,
        email: &EmailAddress,
        caller: &Caller,
    ) -> Result<MailRequester, Unexpected> {
        let is_known = self.known(email, caller).await?.is_some();
        Ok(MailRequester { is_known, ..self.unknown_mail_requester(caller) })
    }

    /// The same of somebody whom the mailbox need not know.
    pub(crate) fn unknown_mail_requester(&self, caller: &Caller) -> MailRequester {
        let networks = caller.device.networks();
        let network = networks.map_or_else(String::new, |networks| networks.widest().to_string());
        MailRequester { network: self.pseudonyms.of(&["mail requester", &network]), is_known: false }
    }

    /// The device as its token names it, or a new one. `None` where accounts have no limits.
    pub(crate) fn identify(&self, device: &DeviceInfo) -> Option<KnownDevice> {
        self.policy.account?;
        let known = device.token().and_then(|text| self.devices.read(text));
        Some(known.unwrap_or_else(|| KnownDevice::new(DeviceId::generate(self.clock.now()), [])))
    }

    /// What this device shall keep, now that the account has signed in on it. `None` where accounts have no limits.
    pub(crate) fn remember(&self, email: &EmailAddress, device: &DeviceInfo) -> Option<String> {
        Some(self.token(email, self.identify(device)?))
    }

    /// The same for a device that has been [identified](Self::identify).
    pub(crate) fn token(&self, email: &EmailAddress, device: KnownDevice) -> String {
        self.devices.write(&device.with(self.account(email)))
    }

    /// What the account knows of where a request comes from, if it knows anything. The network is asked for in the
    /// database, so only so often, for each network that asks.
    async fn known(&self, email: &EmailAddress, caller: &Caller) -> Result<Option<Known>, Unexpected> {
        if let Some(device) = self.known_device(&caller.device, self.account(email)) {
            return Ok(Some(Known::Device(device)));
        }
        let Some(networks) = caller.device.networks() else { return Ok(None) };
        if self.own.reserve(&self.budgets_of_looking(networks)).await.is_err() {
            return Ok(None);
        }
        let network = networks.narrowest();
        let is_known = self.networks.was_used_from(email, network, self.clock.now()).await?;
        Ok(is_known.then_some(Known::Network(network)))
    }

    fn known_device(&self, device: &DeviceInfo, account: Pseudonym) -> Option<DeviceId> {
        let known = self.devices.read(device.token()?)?;
        known.knows(account).then_some(known.id)
    }

    fn account(&self, email: &EmailAddress) -> Pseudonym {
        self.pseudonyms.of(&["account", &email.canonical()])
    }

    /// Notes that somebody was refused, and hands the refusal back.
    fn refuse(&self, limited: RateLimited, subject: EventSubject, caller: &Caller) -> RateLimited {
        self.refusals.note(EventKind::Throttled, subject, caller);
        limited
    }
}

#[cfg(test)]
pub(crate) mod tests;
