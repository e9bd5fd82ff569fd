//! Identifiers: distinct types over UUIDv7 (RFC 9562), so that no id is ever taken for one of another kind.

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier; its leading 48 bits are `now` in milliseconds, the rest is random.
            #[must_use]
            pub fn generate(now: DateTime<Utc>) -> Self {
                let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
                Self(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos())))
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// A person's account. Never given to another person, also after deletion (ASVS 10.3.3).
    UserId;
    /// One sign-in on one device, the `sid` of its tokens.
    SessionId;
    /// A browser or an app that somebody has signed in on.
    DeviceId;
    /// Something that happened to an account or a session and may have to be looked into.
    EventId;
    /// One mail that is owed to somebody; also its `Message-ID`, so that a duplicate can be recognised.
    MailId;
}

impl EventId {
    /// The first id that there can be at this time: that of no event, but a bound for those since then.
    #[must_use]
    pub fn earliest(at: DateTime<Utc>) -> Self {
        let milliseconds = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        Self(Uuid::from_u128(u128::from(milliseconds) << 80))
    }
}
