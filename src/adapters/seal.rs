//! Signing keys at rest: Ed25519 seeds under AES-256-GCM, with a key derived from the configured secret.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};
use zeroize::Zeroizing;

use super::root_secret::{RootSecret, RootSecrets};
use crate::domain::{KeyId, Seed};
use crate::ports::{KeyVault, NewKey, SealedSeed, StoredKey, Unexpected};

/// [`KeyVault`] with AES-256-GCM. A sealed seed is a random nonce, the ciphertext and the tag; the `kid` is authenticated
/// with it.
pub struct AesGcmVault {
    present: RandomizedNonceKey,
    previous: Option<RandomizedNonceKey>,
}

impl AesGcmVault {
    /// A vault that seals under the present secret.
    ///
    /// # Errors
    /// When the cryptographic library does not work.
    pub fn new(secrets: &RootSecrets) -> Result<Self, Unexpected> {
        let key = |secret: &RootSecret| {
            RandomizedNonceKey::new(&AES_256_GCM, secret.derive("signing key sealing key").as_slice())
                .map_err(|error| Unexpected::fault("no key for sealing", error))
        };
        Ok(Self {
            present: key(&secrets.present)?,
            previous: secrets.previous.as_ref().map(key).transpose()?,
        })
    }

    fn seal(&self, id: &KeyId, seed: &Seed) -> Result<SealedSeed, Unexpected> {
        let mut sealed = Zeroizing::new(seed.expose_secret().to_vec());
        let nonce = self
            .present
            .seal_in_place_append_tag(Aad::from(id.as_str()), &mut *sealed)
            .map_err(|error| Unexpected::fault("a seed was not sealed", error))?;
        Ok(SealedSeed([nonce.as_ref(), sealed.as_slice()].concat()))
    }
}

impl KeyVault for AesGcmVault {
    fn make(&self) -> Result<NewKey, Unexpected> {
        let mut seed: Seed = SecretBox::default();
        rand::fill(seed.expose_secret_mut())
            .map_err(|error| Unexpected::fault("no random numbers", error))?;
        let public = public_key(&seed).ok_or_else(|| Unexpected::fault("no signing key", "an odd seed"))?;
        let id =
            thumbprint(&public).ok_or_else(|| Unexpected::fault("no signing key", "an odd thumbprint"))?;
        let sealed = self.seal(&id, &seed)?;
        Ok(NewKey { id, public, sealed })
    }

    fn open(&self, stored: &StoredKey) -> Option<(Seed, Option<SealedSeed>)> {
        let id = &stored.key.id;
        let (seed, is_present) = match (open_under(&self.present, stored), &self.previous) {
            (Some(seed), _) => (seed, true),
            (None, Some(previous)) => (open_under(previous, stored)?, false),
            (None, None) => return None,
        };
        // The public half is not sealed, and the key set is made of it.
        if public_key(&seed)? != stored.key.public || thumbprint(&stored.key.public)? != *id {
            return None;
        }
        let resealed = if is_present { None } else { Some(self.seal(id, &seed).ok()?) };
        Some((seed, resealed))
    }
}

fn open_under(key: &RandomizedNonceKey, stored: &StoredKey) -> Option<Seed> {
    let (nonce, sealed) = stored.sealed.0.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let opened = key.open_in_place(nonce, Aad::from(stored.key.id.as_str()), &mut buffer).ok()?;
    let mut seed: Seed = SecretBox::default();
    if opened.len() != seed.expose_secret().len() {
        return None;
    }
    seed.expose_secret_mut().copy_from_slice(opened);
    Some(seed)
}

fn public_key(seed: &Seed) -> Option<[u8; 32]> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret()).ok()?;
    pair.public_key().as_ref().try_into().ok()
}

/// RFC 7638, with the members of RFC 8037.
fn thumbprint(public: &[u8; 32]) -> Option<KeyId> {
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
    KeyId::parse(&URL_SAFE_NO_PAD.encode(digest(&SHA256, jwk.as_bytes())))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::SigningKey;

    fn vault(present: &str, previous: Option<&str>) -> AesGcmVault {
        let secret = |text: &str| RootSecret::new(&text.into());
        AesGcmVault::new(&RootSecrets { present: secret(present), previous: previous.map(secret) }).unwrap()
    }

    fn stored(new: NewKey) -> StoredKey {
        let NewKey { id, public, sealed } = new;
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let key = SigningKey { number: 1, id, public, created_at: now, activates_at: now, gone_at: None };
        StoredKey { key, sealed }
    }

    #[test]
    fn a_seed_opens_under_its_secret_alone() {
        let vault_of_one = vault("one", None);
        let stored = stored(vault_of_one.make().unwrap());
        let (seed, resealed) = vault_of_one.open(&stored).unwrap();
        assert_eq!(public_key(&seed), Some(stored.key.public));
        assert_eq!(resealed, None);
        assert!(vault("another", None).open(&stored).is_none());
        assert!(vault("another", Some("a third")).open(&stored).is_none());
    }

    #[test]
    fn a_seed_under_the_previous_secret_comes_with_a_sealing_under_the_present_one() {
        let mut stored = stored(vault("old", None).make().unwrap());
        stored.sealed = vault("new", Some("old")).open(&stored).unwrap().1.unwrap();
        assert!(vault("new", None).open(&stored).is_some());
        assert!(vault("old", None).open(&stored).is_none());
    }

    #[test]
    fn a_row_that_was_tampered_with_does_not_open() {
        let vault = vault("one", None);
        let (good, other) = (stored(vault.make().unwrap()), stored(vault.make().unwrap()));
        let tampered = |change: &dyn Fn(&mut StoredKey)| {
            let mut row = good.clone();
            change(&mut row);
            vault.open(&row).is_none()
        };
        assert!(tampered(&|row| row.sealed = other.sealed.clone()), "the seed of another key");
        assert!(tampered(&|row| row.key.id = other.key.id.clone()), "another kid");
        assert!(tampered(&|row| row.key.public = other.key.public), "another public key");
        assert!(tampered(&|row| row.sealed.0[20] ^= 1), "a changed bit");
        assert!(tampered(&|row| row.sealed.0.truncate(8)), "too short");
    }

    #[test]
    fn the_kid_is_the_thumbprint_of_rfc_8037() {
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let id = thumbprint(&x.try_into().unwrap()).unwrap();
        assert_eq!(id.as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
