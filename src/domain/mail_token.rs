//! One-time tokens that travel by mail: what each is good for, and for how long (docs/security.md REG-8).

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use super::MailId;

/// What a mailed token is good for, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTokenPurpose {
    /// Confirming the address that the account has.
    VerifyEmail,
    /// Setting a new password without the old one.
    ResetPassword,
    /// Moving the account to the address that the token was mailed to.
    ConfirmEmailChange,
}

impl MailTokenPurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::VerifyEmail, Self::ResetPassword, Self::ConfirmEmailChange];

    /// Those that only somebody who knew the password, or stood in for it, can have asked for: a new password makes them
    /// worthless.
    pub const OF_WHO_HAS_THE_PASSWORD: [Self; 2] = [Self::ResetPassword, Self::ConfirmEmailChange];

    /// Its name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ConfirmEmailChange => "confirm_email_change",
        }
    }

    /// The purpose of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// The mutation that takes the token, as links name it.
    #[must_use]
    pub fn mutation(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verifyEmail",
            Self::ResetPassword => "resetPassword",
            Self::ConfirmEmailChange => "confirmEmailChange",
        }
    }

    /// How long a token works, counted from when its mail was queued. One that opens an account is short-lived.
    #[must_use]
    pub fn lifetime(self) -> TimeDelta {
        match self {
            Self::VerifyEmail => TimeDelta::days(7),
            Self::ResetPassword => TimeDelta::hours(1),
            Self::ConfirmEmailChange => TimeDelta::hours(24),
        }
    }
}

/// A token as it stands in a mail. It is derived when the mail is rendered, and nowhere kept.
#[derive(Debug, Clone)]
pub struct MailToken(SecretString);

impl MailToken {
    /// Takes the text of a token.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text, for the mail alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A token that somebody presents: genuine and for this purpose, but perhaps used or expired. That its row says.
#[derive(Debug, Clone, Copy)]
pub struct PresentedMailToken {
    /// The mail that carried it.
    pub id: MailId,
    /// What it is good for.
    pub purpose: MailTokenPurpose,
    /// What its row must have.
    pub digest: MailTokenDigest,
}

/// SHA-256 of a token: what is stored, and all that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailTokenDigest(pub [u8; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_purposes_are_read_back() {
        for purpose in MailTokenPurpose::ALL {
            assert_eq!(MailTokenPurpose::parse(purpose.as_str()), Some(purpose));
        }
    }

    #[test]
    fn a_token_cannot_be_printed() {
        assert!(!format!("{:?}", MailToken::new("hunter2".to_owned())).contains("hunter2"));
    }
}
