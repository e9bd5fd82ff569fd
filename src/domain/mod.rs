//! Values and rules of authentication. No I/O, no async, no framework, no clock: what is needed is given.

mod account;
mod caller;
mod device;
mod displacement;
mod email;
mod event;
mod id;
mod known_device;
mod language;
mod listing;
mod mail;
mod mail_allowance;
mod mail_record;
mod mail_token;
mod network;
mod origin;
mod password;
mod pseudonym;
mod rate;
mod requester;
mod session;
mod signing_key;
mod token;

pub use account::{
    Locale, LocaleError, LoginRequirement, PasswordVersion, PersonName, PersonNameError, User,
};
pub use caller::{Caller, RequestId};
pub use device::DeviceInfo;
pub use displacement::{LiveSession, MAX_DISPLACED, SessionCap, SignInOrigin};
pub use email::{EmailAddress, EmailAddressError};
pub use event::{EventFilter, EventKind, EventOutcome, EventSubject, SecurityEvent};
pub use id::{DeviceId, EventId, MailId, SessionId, UserId};
pub use known_device::KnownDevice;
pub use language::Language;
pub use listing::{ListedSession, Listing, Page, PageEnd, SessionPlace};
pub use mail::{DISPLACEMENT_NOTICE_PERIOD, GIVE_UP_AFTER, Mail, MailKind, REPETITION, RetryPolicy};
pub use mail_allowance::{Allowance, MAIL_DAY, MAIL_HOUR, MailHistory, MailRequester};
pub use mail_record::{MailRecord, MailState};
pub use mail_token::{MailToken, MailTokenDigest, MailTokenPurpose, PresentedMailToken};
pub use network::{ClientNetwork, ClientNetworks, TrustedProxies, TrustedProxiesError};
pub use origin::{Origins, OriginsError, is_loopback};
pub use password::{Password, PasswordError, PasswordPolicy, Weakness};
pub use pseudonym::Pseudonym;
pub use rate::{LimitPolicy, Rate};
pub use requester::Requester;
pub use session::{Generation, Lifetimes, RotationPolicy, Session, SessionEnd, Verdict};
pub use signing_key::{CLOCK_SKEW, Handover, KeyId, KeyRing, KeyState, Seed, SigningKey};
pub use token::{AccessToken, IssuedToken, RefreshToken, TokenPair, Viewer};
