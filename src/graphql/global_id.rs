//! Global ids: one text for an object of any type, opaque to clients.

use async_graphql::ID;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::domain::{EventId, SessionId, UserId};

/// What a global id names: base64url of the type and the id within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GlobalId {
    User(UserId),
    Session(SessionId),
    SecurityEvent(EventId),
}

impl GlobalId {
    /// What the text names. `None` for every text that was not given out here, other spellings of one included: caches take
    /// ids for equal only when their texts are.
    pub(super) fn read(id: &ID) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id.as_str()).ok()?).ok()?;
        let (kind, uuid) = text.split_once(':')?;
        let uuid = Uuid::try_parse(uuid).ok()?;
        let read = match kind {
            "User" => Self::User(uuid.into()),
            "Session" => Self::Session(uuid.into()),
            "SecurityEvent" => Self::SecurityEvent(uuid.into()),
            _ => return None,
        };
        (ID::from(read) == *id).then_some(read)
    }
}

impl From<GlobalId> for ID {
    fn from(id: GlobalId) -> Self {
        let text = match id {
            GlobalId::User(id) => format!("User:{id}"),
            GlobalId::Session(id) => format!("Session:{id}"),
            GlobalId::SecurityEvent(id) => format!("SecurityEvent:{id}"),
        };
        Self(URL_SAFE_NO_PAD.encode(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn an_id_is_read_back() {
        let uuid = Uuid::try_parse(UUID).unwrap();
        for id in [
            GlobalId::User(uuid.into()),
            GlobalId::Session(uuid.into()),
            GlobalId::SecurityEvent(uuid.into()),
        ] {
            assert_eq!(GlobalId::read(&ID::from(id)), Some(id));
        }
        let id = ID::from(GlobalId::User(uuid.into()));
        assert_eq!(id.as_str(), "VXNlcjowMTg5MGE1ZC1hYzk2LTc3NGItYmNjZS1iMzAyMDk5YTgwNTc");
    }

    #[test]
    fn what_was_not_given_out_names_nothing() {
        let simple = UUID.replace('-', "");
        for text in ["", "User", "User:", "Mail:01890a5d-ac96-774b-bcce-b302099a8057", "User:nonsense"]
            .into_iter()
            .map(str::to_owned)
            .chain([
                format!("User:{simple}"),
                format!("user:{UUID}"),
                format!("User:{}", UUID.to_uppercase()),
            ])
        {
            assert_eq!(GlobalId::read(&ID(URL_SAFE_NO_PAD.encode(&text))), None, "{text}");
            assert_eq!(GlobalId::read(&ID(text)), None);
        }
    }
}
