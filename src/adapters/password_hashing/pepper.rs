//! Peppers: secrets that hashes are made with, and that are not where hashes are kept. A copy of the database alone is then
//! nothing that anybody could try passwords on (SP 800-63B-4 3.1.1.2).

use argon2::KeyId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

use super::argon2id::Argon2Hash;
use crate::adapters::root_secret::RootSecret;
use crate::ports::Unexpected;

/// What the id of a pepper is derived for: whoever knows the id knows nothing of the pepper.
const ID: &str = "password pepper id";

/// The peppers that are configured. New hashes are made with the present one; old ones verify with either, or without.
#[derive(Clone, Default)]
pub struct Peppers {
    present: Option<Pepper>,
    previous: Option<Pepper>,
}

/// The secret value `K` of argon2 (RFC 9106), and the `keyid` of the hashes that are made with it.
#[derive(Clone)]
struct Pepper {
    id: KeyId,
    key: SecretString,
}

impl Peppers {
    /// Takes the peppers as they were configured.
    ///
    /// # Errors
    /// When argon2 does not take their ids.
    pub fn new(present: Option<&SecretString>, previous: Option<&SecretString>) -> Result<Self, Unexpected> {
        Ok(Self {
            present: present.map(Pepper::new).transpose()?,
            previous: previous.map(Pepper::new).transpose()?,
        })
    }

    /// The id of the pepper that these hashes need, where none of those that need one can be verified: then this program was
    /// started without it by mistake. `None` where all is well, or some were left behind when a pepper was given up.
    #[must_use]
    pub fn find_missing(&self, hashes: &[String]) -> Option<String> {
        let hashes = hashes.iter().filter_map(|hash| Argon2Hash::parse(hash)?.ok());
        let peppered: Vec<Argon2Hash> = hashes.filter(|hash| !hash.key_id().is_empty()).collect();
        let is_known = |hash: &Argon2Hash| self.key(hash.key_id()).is_some();
        if peppered.iter().any(is_known) {
            return None;
        }
        peppered.first().map(|hash| written(hash.key_id()))
    }

    /// The id for new hashes: empty without a pepper.
    pub(super) fn present_id(&self) -> KeyId {
        self.present.as_ref().map_or(KeyId::EMPTY, |pepper| pepper.id)
    }

    /// The pepper with this id: the empty one, which is none, for the empty id. `None` where it is not configured.
    pub(super) fn key(&self, id: &[u8]) -> Option<&[u8]> {
        if id.is_empty() {
            return Some(&[]);
        }
        let mut known = [&self.present, &self.previous].into_iter().flatten();
        known.find(|pepper| pepper.id.as_bytes() == id).map(|pepper| pepper.key.expose_secret().as_bytes())
    }
}

impl Pepper {
    fn new(key: &SecretString) -> Result<Self, Unexpected> {
        let id = KeyId::new(&RootSecret::new(key).derive(ID)[..KeyId::MAX_LEN]);
        let id = id.map_err(|error| Unexpected::fault("the id of a pepper", error))?;
        Ok(Self { id, key: key.clone() })
    }
}

/// An id as it stands in hashes.
pub(super) fn written(id: &[u8]) -> String {
    STANDARD_NO_PAD.encode(id)
}
