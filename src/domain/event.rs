//! What happens to accounts, sessions and keys that somebody may have to look into.

use chrono::{DateTime, Utc};

use super::{DeviceInfo, EmailAddress, EventId, KeyId, RequestId, SessionId, UserId};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An account was made by its owner.
    Registered,
    /// Somebody tried to register the address once more.
    RegistrationRepeated,
    /// The address was confirmed.
    EmailVerified,
    /// A session began.
    LoggedIn,
    /// The password was wrong, or the account is shut.
    LoginFailed,
    /// The password was right, and the address has yet to be confirmed.
    LoginHeldBack,
    /// A refresh token came whose session has ended.
    RefreshRefused,
    /// A refresh token came back after its successor had been used, and its session was ended.
    RefreshTokenReused,
    /// A session was ended with its own tokens.
    LoggedOut,
    /// Every session was ended, with the tokens of one.
    LoggedOutEverywhere,
    /// A session was ended from another one.
    SessionRevoked,
    /// A session made room for a new one: the account had more than it may have.
    SessionDisplaced,
    /// An operator ended every session.
    SessionEndedByOperator,
    /// There were too many attempts.
    Throttled,
    /// Somebody who is signed in gave a wrong password for something that needs it.
    PasswordWrong,
    /// A way to set a new password was asked for.
    PasswordResetRequested,
    /// A new password was set with the token from a mail.
    PasswordReset,
    /// A new password was set with the one before.
    PasswordChanged,
    /// The account is to move to another address.
    EmailChangeRequested,
    /// The account moved to another address.
    EmailChanged,
    /// What the account shows of its owner was changed.
    ProfileChanged,
    /// An operator added the account.
    AccountAdded,
    /// An operator shut the account.
    AccountDisabled,
    /// An operator opened the account again.
    AccountEnabled,
    /// The account was deleted.
    AccountDeleted,
    /// A signing key was published, to begin later.
    SigningKeyAdded,
    /// A signing key was told to begin earlier than planned.
    SigningKeyHastened,
    /// A signing key was taken away.
    SigningKeyRetired,
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOutcome {
    /// As it was meant.
    Succeeded,
    /// It was refused.
    Refused,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::Registered,
        Self::RegistrationRepeated,
        Self::EmailVerified,
        Self::LoggedIn,
        Self::LoginFailed,
        Self::LoginHeldBack,
        Self::RefreshRefused,
        Self::RefreshTokenReused,
        Self::LoggedOut,
        Self::LoggedOutEverywhere,
        Self::SessionRevoked,
        Self::SessionDisplaced,
        Self::SessionEndedByOperator,
        Self::Throttled,
        Self::PasswordWrong,
        Self::PasswordResetRequested,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::EmailChangeRequested,
        Self::EmailChanged,
        Self::ProfileChanged,
        Self::AccountAdded,
        Self::AccountDisabled,
        Self::AccountEnabled,
        Self::AccountDeleted,
        Self::SigningKeyAdded,
        Self::SigningKeyHastened,
        Self::SigningKeyRetired,
    ];

    /// Its name in the database, in the log and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::RegistrationRepeated => "registration_repeated",
            Self::EmailVerified => "email_verified",
            Self::LoggedIn => "logged_in",
            Self::LoginFailed => "login_failed",
            Self::LoginHeldBack => "login_held_back",
            Self::RefreshRefused => "refresh_refused",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::LoggedOut => "logged_out",
            Self::LoggedOutEverywhere => "logged_out_everywhere",
            Self::SessionRevoked => "session_revoked",
            Self::SessionDisplaced => "session_displaced",
            Self::SessionEndedByOperator => "session_ended_by_operator",
            Self::Throttled => "throttled",
            Self::PasswordWrong => "password_wrong",
            Self::PasswordResetRequested => "password_reset_requested",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::EmailChangeRequested => "email_change_requested",
            Self::EmailChanged => "email_changed",
            Self::ProfileChanged => "profile_changed",
            Self::AccountAdded => "account_added",
            Self::AccountDisabled => "account_disabled",
            Self::AccountEnabled => "account_enabled",
            Self::AccountDeleted => "account_deleted",
            Self::SigningKeyAdded => "signing_key_added",
            Self::SigningKeyHastened => "signing_key_hastened",
            Self::SigningKeyRetired => "signing_key_retired",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// How it ended: each kind ends in one way.
    #[must_use]
    pub fn outcome(self) -> EventOutcome {
        match self {
            Self::RegistrationRepeated
            | Self::LoginFailed
            | Self::LoginHeldBack
            | Self::RefreshRefused
            | Self::RefreshTokenReused
            | Self::Throttled
            | Self::PasswordWrong => EventOutcome::Refused,
            Self::Registered
            | Self::EmailVerified
            | Self::LoggedIn
            | Self::LoggedOut
            | Self::LoggedOutEverywhere
            | Self::SessionRevoked
            | Self::SessionDisplaced
            | Self::SessionEndedByOperator
            | Self::PasswordResetRequested
            | Self::PasswordReset
            | Self::PasswordChanged
            | Self::EmailChangeRequested
            | Self::EmailChanged
            | Self::ProfileChanged
            | Self::AccountAdded
            | Self::AccountDisabled
            | Self::AccountEnabled
            | Self::AccountDeleted
            | Self::SigningKeyAdded
            | Self::SigningKeyHastened
            | Self::SigningKeyRetired => EventOutcome::Succeeded,
        }
    }
}

impl EventOutcome {
    /// Its name in the database, in the log and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
        }
    }
}

/// An event as it is kept.
#[derive(Debug, Clone)]
pub struct SecurityEvent {
    /// Names it. The order of the ids is that of time, of the first one where it happened several times.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When; the last time, if it happened several times.
    pub occurred_at: DateTime<Utc>,
    /// How often: equal ones in a row are counted for a day, instead of kept one by one.
    pub times: u32,
    /// Whose account; `None` for what happened to a signing key.
    pub user_id: Option<UserId>,
    /// Through, or to, which session.
    pub session_id: Option<SessionId>,
    /// Which signing key.
    pub key_id: Option<KeyId>,
    /// What it was done by, and from where. Forgotten with the account.
    pub device: DeviceInfo,
    /// In which request.
    pub request_id: Option<RequestId>,
}

/// Whose account an attempt that was refused was about, as far as the attempt tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventSubject {
    /// This one.
    Account(UserId),
    /// That of this address, if it has one.
    Address(EmailAddress),
    /// That of this session, if there was one.
    Session(SessionId),
    /// Nobody knows.
    Unknown,
}

/// Which events an operator asks for.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Those of one account only.
    pub account: Option<EventSubject>,
    /// Those of one kind only.
    pub kind: Option<EventKind>,
    /// Those since then only.
    pub since: Option<DateTime<Utc>>,
    /// How many at most, the newest.
    pub limit: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::parse("nonsense"), None);
    }
}
