//! Sessions: one sign-in on one device, and what presenting one of its refresh tokens means (docs/design.md#sessions).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{EventKind, LoginRequirement, SessionId, UserId};

/// A session as its row says.
#[derive(Debug, Clone)]
pub struct Session {
    /// The `sid` of its tokens.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// How often it was refreshed, counted from 1. The order of its refresh tokens; no clock has a say in it.
    pub generation: Generation,
    /// The newest generation of which a token has been presented; 0 when none has.
    pub seen_generation: Generation,
    /// When the current generation began.
    pub rotated_at: DateTime<Utc>,
    /// How long ago that was when the row was read, by the clock of the database alone: those of the instances differ.
    pub rotated_for: Duration,
    /// When it ends unless it is refreshed before. Never after `absolute_expires_at`.
    pub expires_at: DateTime<Utc>,
    /// When it ends in any case.
    pub absolute_expires_at: DateTime<Utc>,
    /// When it was ended before its time.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The number of a refresh token within its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(i32);

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// Its owner logged out.
    Logout,
    /// Its owner ended it from the list of their sessions.
    Revoked,
    /// A refresh token came back after its successor had been used (RFC 9700 4.14.2).
    Reuse,
    /// The account has a new password, and the session was opened with the old one.
    PasswordChanged,
    /// A new session made one too many.
    Displaced,
    /// An operator shut the account.
    Disabled,
    /// An operator ended all there were.
    Operator,
    /// The account was deleted.
    Deleted,
}

/// How long sessions and their access tokens live.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Life of an access token.
    pub access: TimeDelta,
    /// How long a session lives without a refresh.
    pub idle: TimeDelta,
    /// How long a session lives at most; refreshing does not extend it.
    pub absolute: TimeDelta,
}

/// What a refresh may do.
#[derive(Debug, Clone, Copy)]
pub struct RotationPolicy {
    /// How long, counted from the rotation, the predecessor still gets its successor.
    pub replay_window: Duration,
    /// How long it does while nothing of the successor has been seen: then the answer was lost, and the laptop slept.
    pub lost_answer: Duration,
    /// How long a refreshed session lives without a further refresh.
    pub idle: TimeDelta,
    /// What an account needs for being signed in, asked again at each refresh.
    pub requirement: LoginRequirement,
}

/// What presenting a refresh token to a session means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The newest one: it is swapped for its successor.
    Rotate,
    /// The one before, within the window, or while nobody has shown the successor: a second tab, or a lost answer. It gets
    /// the same successor again.
    Replay,
    /// An older one: somebody holds a copy. The session ends.
    Reuse,
    /// The session has ended, or never issued this one. Nothing changes.
    Refuse,
}

impl Session {
    /// A new session of `user_id`, in its first generation.
    #[must_use]
    pub fn start(user_id: UserId, lifetimes: Lifetimes, now: DateTime<Utc>) -> Self {
        let absolute_expires_at = now + lifetimes.absolute;
        Self {
            id: SessionId::generate(now),
            user_id,
            generation: Generation::FIRST,
            seen_generation: Generation::NONE,
            rotated_at: now,
            rotated_for: Duration::ZERO,
            expires_at: absolute_expires_at.min(now + lifetimes.idle),
            absolute_expires_at,
            ended_at: None,
        }
    }

    /// Whether its tokens are good at `now`.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// What it means that the refresh token of generation `presented` arrives at `now`.
    #[must_use]
    pub fn judge(&self, presented: Generation, policy: RotationPolicy, now: DateTime<Utc>) -> Verdict {
        if !self.is_live(now) || presented > self.generation {
            return Verdict::Refuse;
        }
        if presented == self.generation {
            return Verdict::Rotate;
        }
        let is_lost = self.seen_generation < self.generation && self.rotated_for <= policy.lost_answer;
        if presented.next() == self.generation && (self.rotated_for <= policy.replay_window || is_lost) {
            return Verdict::Replay;
        }
        Verdict::Reuse
    }
}

impl Generation {
    /// Before the first.
    pub const NONE: Self = Self(0);

    /// The generation that a login issues.
    pub const FIRST: Self = Self(1);

    /// The generation that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl From<i32> for Generation {
    fn from(number: i32) -> Self {
        Self(number)
    }
}

impl From<Generation> for i32 {
    fn from(generation: Generation) -> Self {
        generation.0
    }
}

impl SessionEnd {
    /// The event that tells of it.
    #[must_use]
    pub fn event(self) -> EventKind {
        match self {
            Self::Logout => EventKind::LoggedOut,
            Self::Revoked => EventKind::SessionRevoked,
            Self::Reuse => EventKind::RefreshTokenReused,
            Self::PasswordChanged => EventKind::PasswordChanged,
            Self::Displaced => EventKind::SessionDisplaced,
            Self::Deleted => EventKind::AccountDeleted,
            Self::Disabled => EventKind::AccountDisabled,
            Self::Operator => EventKind::SessionEndedByOperator,
        }
    }

    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Logout,
        Self::Revoked,
        Self::Reuse,
        Self::PasswordChanged,
        Self::Displaced,
        Self::Disabled,
        Self::Operator,
        Self::Deleted,
    ];

    /// The reason of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Its name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Revoked => "revoked",
            Self::Reuse => "reuse",
            Self::PasswordChanged => "password_changed",
            Self::Displaced => "displaced",
            Self::Disabled => "disabled",
            Self::Operator => "operator",
            Self::Deleted => "deleted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RotationPolicy = RotationPolicy {
        replay_window: Duration::from_secs(30),
        lost_answer: Duration::from_hours(24),
        idle: TimeDelta::days(30),
        requirement: LoginRequirement::Any,
    };

    fn session_at(generation: i32) -> (Session, DateTime<Utc>) {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let lifetimes = Lifetimes {
            access: TimeDelta::minutes(15),
            idle: TimeDelta::days(30),
            absolute: TimeDelta::days(90),
        };
        let mut session = Session::start(UserId::generate(now), lifetimes, now);
        session.generation = Generation(generation);
        session.seen_generation = session.generation;
        (session, now)
    }

    #[test]
    fn names_of_ends_are_read_back() {
        for reason in SessionEnd::ALL {
            assert_eq!(SessionEnd::parse(reason.as_str()), Some(reason));
        }
    }

    #[test]
    fn the_newest_token_rotates() {
        let (session, now) = session_at(3);
        assert_eq!(session.judge(Generation(3), POLICY, now + TimeDelta::days(29)), Verdict::Rotate);
    }

    #[test]
    fn the_predecessor_gets_its_successor_within_the_window_only() {
        let (mut session, now) = session_at(3);
        session.rotated_for = Duration::from_secs(30);
        assert_eq!(session.judge(Generation(2), POLICY, now), Verdict::Replay);
        session.rotated_for = Duration::from_secs(31);
        assert_eq!(session.judge(Generation(2), POLICY, now), Verdict::Reuse);
    }

    #[test]
    fn a_lost_answer_is_given_again_for_a_day_and_only_to_the_predecessor() {
        let (mut session, now) = session_at(3);
        session.seen_generation = Generation(2);
        session.rotated_for = Duration::from_hours(24);
        assert_eq!(session.judge(Generation(2), POLICY, now), Verdict::Replay);
        assert_eq!(session.judge(Generation(1), POLICY, now), Verdict::Reuse);
        session.rotated_for = Duration::from_hours(25);
        assert_eq!(session.judge(Generation(2), POLICY, now), Verdict::Reuse);
        let never = RotationPolicy { lost_answer: Duration::ZERO, ..POLICY };
        session.rotated_for = Duration::from_secs(31);
        assert_eq!(session.judge(Generation(2), never, now), Verdict::Reuse);
    }

    #[test]
    fn clocks_that_differ_or_step_have_no_say_in_the_window() {
        let (mut session, now) = session_at(3);
        for offset in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
            session.rotated_at = now + offset;
            assert_eq!(session.judge(Generation(2), POLICY, now), Verdict::Replay);
        }
    }

    #[test]
    fn an_older_token_is_reuse_at_any_time() {
        let (session, now) = session_at(3);
        assert_eq!(session.judge(Generation(1), POLICY, now), Verdict::Reuse);
    }

    #[test]
    fn a_token_that_was_never_issued_changes_nothing() {
        let (session, now) = session_at(3);
        assert_eq!(session.judge(Generation(4), POLICY, now), Verdict::Refuse);
    }

    #[test]
    fn an_ended_or_expired_session_refuses_every_token() {
        let (mut session, now) = session_at(3);
        assert_eq!(session.judge(Generation(3), POLICY, now + TimeDelta::days(30)), Verdict::Refuse);
        session.ended_at = Some(now);
        for generation in 1..=4 {
            assert_eq!(session.judge(Generation(generation), POLICY, now), Verdict::Refuse);
        }
    }

    #[test]
    fn a_session_never_outlives_its_absolute_limit() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let lifetimes = Lifetimes {
            access: TimeDelta::minutes(15),
            idle: TimeDelta::days(30),
            absolute: TimeDelta::days(7),
        };
        let session = Session::start(UserId::generate(now), lifetimes, now);
        assert_eq!(session.expires_at, now + TimeDelta::days(7));
    }
}
