//! Which sessions make room when an account has more than it may have (docs/security.md BUD-7).

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};

use super::{ClientNetwork, DeviceId, Generation, SessionId};

/// The most sessions that one sign-in ends. An account from before there was a cap comes down step by step.
pub const MAX_DISPLACED: usize = 500;

/// How many live sessions an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCap(NonZeroU32);

/// Where a session was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignInOrigin {
    /// The device, if it has shown which one it is.
    pub device: Option<DeviceId>,
    /// The widest network that one owner may hold all of.
    pub network: Option<ClientNetwork>,
}

/// A live session, as far as it matters for who makes room.
#[derive(Debug, Clone, Copy)]
pub struct LiveSession {
    /// Names it.
    pub id: SessionId,
    /// Where it was begun.
    pub origin: SignInOrigin,
    /// [`Generation::FIRST`] until it is refreshed.
    pub generation: Generation,
    /// When it was begun or last refreshed.
    pub last_used_at: DateTime<Utc>,
}

/// Why a session makes room. The first reason goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    SameDevice,
    SameNetwork,
    NeverRefreshed,
    LeastRecentlyUsed,
}

impl SessionCap {
    /// `None` for a cap of no session at all.
    #[must_use]
    pub fn new(sessions: u32) -> Option<Self> {
        NonZeroU32::new(sessions).map(Self)
    }

    /// How many sessions there may be beside one that has just begun.
    #[must_use]
    pub fn beside_newest(self) -> usize {
        self.0.get() as usize - 1
    }

    /// Which of the `others` end, so that a session that has just begun at `origin` has room.
    ///
    /// A stranger who knows the password displaces their own sessions first: those of one device, then those of one network,
    /// then those that were never refreshed. Only then does the least recently used one go, whoever's it is.
    #[must_use]
    pub fn displaced(self, mut others: Vec<LiveSession>, origin: SignInOrigin) -> Vec<SessionId> {
        let excess = others.len().saturating_sub(self.beside_newest()).min(MAX_DISPLACED);
        others.sort_unstable_by_key(|other| (other.reason(origin), other.last_used_at, other.id));
        others.into_iter().take(excess).map(|other| other.id).collect()
    }
}

impl LiveSession {
    fn reason(&self, newest: SignInOrigin) -> Reason {
        if newest.device.is_some() && self.origin.device == newest.device {
            Reason::SameDevice
        } else if newest.network.is_some() && self.origin.network == newest.network {
            Reason::SameNetwork
        } else if self.generation == Generation::FIRST {
            Reason::NeverRefreshed
        } else {
            Reason::LeastRecentlyUsed
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ClientNetworks;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn origin(device: Option<u128>, address: &str) -> SignInOrigin {
        let device = device.map(|number| DeviceId::from(uuid::Uuid::from_u128(number)));
        let network = address.parse().ok().map(|address| ClientNetworks::of(address).widest());
        SignInOrigin { device, network }
    }

    fn session(number: u128, origin: SignInOrigin, generation: i32, minutes: i64) -> LiveSession {
        LiveSession {
            id: uuid::Uuid::from_u128(number).into(),
            origin,
            generation: generation.into(),
            last_used_at: start() + TimeDelta::minutes(minutes),
        }
    }

    fn numbers(displaced: Vec<SessionId>) -> Vec<u128> {
        displaced.into_iter().map(|id| uuid::Uuid::from(id).as_u128()).collect()
    }

    #[test]
    fn the_same_device_goes_first_then_the_network_then_what_was_never_refreshed() {
        let elsewhere = origin(Some(9), "198.51.100.1");
        let others = vec![
            session(1, elsewhere, 2, 0),
            session(2, elsewhere, 2, 5),
            session(3, elsewhere, 1, 9),
            session(4, origin(Some(8), "192.0.2.200"), 7, 20),
            session(5, origin(Some(7), "203.0.113.5"), 7, 31),
            session(6, origin(Some(7), "203.0.113.5"), 7, 30),
        ];
        let newest = origin(Some(7), "192.0.2.1");
        let order = [6, 5, 4, 3, 1, 2];
        for excess in 0..=order.len() {
            let cap = SessionCap::new(u32::try_from(others.len() - excess + 1).unwrap()).unwrap();
            assert_eq!(numbers(cap.displaced(others.clone(), newest)), order[..excess]);
        }
    }

    #[test]
    fn what_is_not_known_is_not_the_same() {
        let unknown = SignInOrigin::default();
        let others = vec![session(1, unknown, 3, 10), session(2, origin(Some(1), "192.0.2.1"), 3, 5)];
        let cap = SessionCap::new(2).unwrap();
        assert_eq!(numbers(cap.displaced(others, unknown)), [2], "the least recently used one");
    }

    #[test]
    fn a_stranger_with_the_password_cannot_push_out_a_session_that_is_refreshed() {
        let cap = SessionCap::new(3).unwrap();
        let mut live = vec![session(1, origin(Some(1), "198.51.100.1"), 2, 0)];
        for number in 2..200_u32 {
            let from = origin(Some(number.into()), &format!("192.{}.2.1", number % 250));
            let gone = cap.displaced(live.clone(), from);
            live.retain(|session| !gone.contains(&session.id));
            live.push(session(number.into(), from, 1, number.into()));
        }
        assert!(live.len() == 3 && numbers(vec![live[0].id]) == [1]);
    }

    fn live_sessions() -> impl Strategy<Value = Vec<LiveSession>> {
        let one = (0..4_u128, 0..4_u8, 1..3_i32, 0..50_i64);
        prop::collection::vec(one, 0..700).prop_map(|sessions| {
            let numbered = sessions.into_iter().zip(1..);
            let live = numbered.map(|((device, network, generation, minutes), number)| {
                let from = origin((device > 0).then_some(device), &format!("192.0.{network}.1"));
                session(number, from, generation, minutes)
            });
            live.collect()
        })
    }

    proptest! {
        #[test]
        fn as_many_go_as_must_and_nobody_stays_who_comes_before_one_who_goes(
            others in live_sessions(),
            cap in 1..650_u32,
        ) {
            let newest = origin(Some(1), "192.0.2.9");
            let gone = SessionCap::new(cap).unwrap().displaced(others.clone(), newest);
            let excess = (others.len() + 1).saturating_sub(cap as usize);
            prop_assert_eq!(gone.len(), excess.min(MAX_DISPLACED));
            let key = |session: &LiveSession| (session.reason(newest), session.last_used_at);
            let (gone, kept): (Vec<_>, Vec<_>) = others.iter().partition(|session| gone.contains(&session.id));
            let last = gone.into_iter().map(key).max();
            prop_assert!(kept.into_iter().all(|session| last.is_none_or(|last| last <= key(session))));
        }
    }
}
