//! Mails that are owed to somebody, and when a mail that could not be handed over is tried again.

use chrono::{DateTime, TimeDelta, Utc};

use super::{EmailAddress, Locale, MailId, MailToken, MailTokenPurpose, PersonName};

/// How long a mail is tried before it is given up, counted from when it was queued.
pub const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(48);
/// The longest wait between two tries.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(4);

/// How long after a registration the same registration is taken for a repetition, because its answer was lost or a button was
/// pressed twice: the owner has the welcome and needs no further word.
pub const REPETITION: TimeDelta = TimeDelta::minutes(10);

/// How long after a [`MailKind::TooManySessions`] an account gets no other: one word is enough, however often it happens.
pub const DISPLACEMENT_NOTICE_PERIOD: TimeDelta = TimeDelta::days(7);

/// One mail, as it was queued. What it says is rendered from this when it is sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Names it for good, over all tries.
    pub id: MailId,
    /// What it is about.
    pub kind: MailKind,
    /// Whom it goes to.
    pub to: EmailAddress,
    /// How the person wants to be called.
    pub name: Option<PersonName>,
    /// The language to write it in.
    pub locale: Locale,
    /// When it was queued: the `Date` it carries, over all tries.
    pub queued_at: DateTime<Utc>,
    /// What the link in it carries, where it has one.
    pub token: Option<MailToken>,
}

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// To the owner of a new account, with a link that confirms the address.
    Welcome,
    /// The link once more.
    Verification,
    /// To the owner of an account that somebody tried to register again.
    AlreadyRegistered,
    /// With a link that sets a new password.
    PasswordReset,
    /// To the owner of an account whose password is another one from now on.
    PasswordChanged,
    /// To the address that an account is to move to, with a link that moves it.
    EmailChange,
    /// To the address that the account has, when somebody asked to move it.
    EmailChangeRequested,
    /// To the address that the account had, when it has moved.
    EmailChanged,
    /// To the owner of a session that was ended because a used refresh token came back.
    SessionReuse,
    /// To the owner of an account that had more sessions than it may have, so that a sign-in ended an older one.
    TooManySessions,
    /// To the owner of an account that is no more.
    AccountDeleted,
}

/// When a mail is tried again.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The wait after the first failure; it doubles with each further one, up to four hours.
    pub first_wait: TimeDelta,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Welcome,
        Self::Verification,
        Self::AlreadyRegistered,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::EmailChange,
        Self::EmailChangeRequested,
        Self::EmailChanged,
        Self::SessionReuse,
        Self::TooManySessions,
        Self::AccountDeleted,
    ];

    /// Its name in the database and among the templates.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Verification => "verification",
            Self::AlreadyRegistered => "already_registered",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::EmailChange => "email_change",
            Self::EmailChangeRequested => "email_change_requested",
            Self::EmailChanged => "email_changed",
            Self::SessionReuse => "session_reuse",
            Self::TooManySessions => "too_many_sessions",
            Self::AccountDeleted => "account_deleted",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kinds that are counted together where strangers can cause them: links to set a password are counted apart, so that
    /// nothing else uses up what an owner needs to get in.
    #[must_use]
    pub fn counted_with(self) -> Vec<Self> {
        let is_like_it = |kind: &Self| {
            kind.can_be_caused_by_strangers()
                && (*kind == Self::PasswordReset) == (self == Self::PasswordReset)
        };
        Self::ALL.into_iter().filter(is_like_it).collect()
    }

    /// Whether somebody who is not its owner can have a mail of this kind sent to a mailbox.
    fn can_be_caused_by_strangers(self) -> bool {
        match self {
            Self::Welcome
            | Self::Verification
            | Self::AlreadyRegistered
            | Self::PasswordReset
            | Self::EmailChange => true,
            Self::PasswordChanged
            | Self::EmailChangeRequested
            | Self::EmailChanged
            | Self::SessionReuse
            | Self::TooManySessions
            | Self::AccountDeleted => false,
        }
    }

    /// What the token in it is good for. `None` for a mail without one.
    #[must_use]
    pub fn purpose(self) -> Option<MailTokenPurpose> {
        match self {
            Self::Welcome | Self::Verification => Some(MailTokenPurpose::VerifyEmail),
            Self::PasswordReset => Some(MailTokenPurpose::ResetPassword),
            Self::EmailChange => Some(MailTokenPurpose::ConfirmEmailChange),
            Self::AlreadyRegistered
            | Self::PasswordChanged
            | Self::EmailChangeRequested
            | Self::EmailChanged
            | Self::SessionReuse
            | Self::TooManySessions
            | Self::AccountDeleted => None,
        }
    }
}

impl RetryPolicy {
    /// When to try `mail` again after `attempts` failed tries (at least one). `None` when 48 hours have passed since it
    /// was queued. Up to a quarter is added to each wait, different for each mail and try, so that a server that comes
    /// back is not met by all of them at once.
    #[must_use]
    pub fn next_try(&self, mail: &Mail, attempts: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if now - mail.queued_at >= GIVE_UP_AFTER {
            return None;
        }
        let doublings = attempts.saturating_sub(1).min(20);
        let wait = self.first_wait.checked_mul(1 << doublings).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        Some(now + wait + wait * i32::from(spread(mail.id, attempts)) / 1024)
    }
}

/// A number under 256, settled by the random bits of the id and the number of the try.
fn spread(id: MailId, attempts: u32) -> u8 {
    let bytes = uuid::Uuid::from(id).into_bytes();
    bytes[8 + attempts as usize % 8].wrapping_mul(31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(queued_at: DateTime<Utc>) -> Mail {
        Mail {
            id: MailId::generate(queued_at),
            kind: MailKind::Welcome,
            to: EmailAddress::parse("ada@example.com").unwrap(),
            name: None,
            locale: Locale::default(),
            queued_at,
            token: None,
        }
    }

    #[test]
    fn waits_double_spread_and_stay_under_five_hours() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let policy = RetryPolicy { first_wait: TimeDelta::seconds(10) };
        let mail = mail(start);
        for attempts in 1..=40 {
            let wait = policy.next_try(&mail, attempts, start).unwrap() - start;
            let least = TimeDelta::seconds(10 << (attempts - 1).min(20)).min(LONGEST_WAIT);
            assert!(wait >= least && wait <= least * 5 / 4, "try {attempts}: {wait}");
        }
    }

    #[test]
    fn after_two_days_a_mail_is_given_up() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let policy = RetryPolicy { first_wait: TimeDelta::seconds(10) };
        assert!(policy.next_try(&mail(start), 20, start + TimeDelta::hours(47)).is_some());
        assert_eq!(policy.next_try(&mail(start), 20, start + TimeDelta::hours(48)), None);
    }

    #[test]
    fn names_of_kinds_are_read_back() {
        for kind in MailKind::ALL {
            assert_eq!(MailKind::parse(kind.as_str()), Some(kind));
        }
    }
}
