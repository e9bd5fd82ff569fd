//! Values and rules of authentication. No I/O, no async, no framework, no clock: what is needed is given.

mod account;
mod email;
mod id;
mod mail;
mod password;
mod session;
mod signing_key;
mod token;

pub use account::{Locale, LocaleError, PersonName, PersonNameError, User};
pub use email::{EmailAddress, EmailAddressError};
pub use id::{MailId, SessionId, UserId};
pub use mail::{Mail, MailKind, RetryPolicy};
pub use password::{Password, PasswordError, PasswordPolicy, Weakness};
pub use session::{DeviceInfo, Generation, Lifetimes, RotationPolicy, Session, SessionEnd, Verdict};
pub use signing_key::{CLOCK_SKEW, Handover, KeyId, KeyRing, KeyState, Seed, SigningKey};
pub use token::{AccessToken, IssuedToken, RefreshToken, TokenPair, Viewer};
