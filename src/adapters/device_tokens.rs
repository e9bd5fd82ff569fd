//! What devices keep to be known again: the device's id and the pseudonyms of the accounts it is known for, and a MAC over
//! them. It signs nobody in; it only sets its bearer's attempts apart from those of strangers.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::root_secret::{RootSecret, RootSecrets};
use crate::domain::{DeviceId, KnownDevice, Pseudonym};
use crate::ports::DeviceTokens;

/// What a token begins with, so that scanners for leaked secrets and people can tell what it is.
const PREFIX: &str = "authql_device_";
/// Bytes of an id, and of a pseudonym.
const ID: usize = 16;
/// Bytes of the MAC at the end.
const MAC: usize = 16;
/// Bytes of the longest token that is written.
const LONGEST: usize = ID + KnownDevice::MOST_ACCOUNTS * ID + MAC;

/// [`DeviceTokens`] with HMAC-SHA256.
pub struct HmacDeviceTokens {
    present: hmac::Key,
    previous: Option<hmac::Key>,
}

impl HmacDeviceTokens {
    /// Tokens under these secrets.
    #[must_use]
    pub fn new(secrets: &RootSecrets) -> Self {
        let key =
            |secret: &RootSecret| hmac::Key::new(hmac::HMAC_SHA256, secret.derive("device token").as_slice());
        Self { present: key(&secrets.present), previous: secrets.previous.as_ref().map(key) }
    }
}

impl DeviceTokens for HmacDeviceTokens {
    fn write(&self, device: &KnownDevice) -> String {
        let mut bytes = Uuid::from(device.id).into_bytes().to_vec();
        bytes.extend(device.accounts().iter().flat_map(|account| account.0));
        let mac = hmac::sign(&self.present, &bytes);
        bytes.extend(&mac.as_ref()[..MAC]);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn read(&self, text: &str) -> Option<KnownDevice> {
        let encoded = text.strip_prefix(PREFIX).filter(|encoded| encoded.len() <= LONGEST.div_ceil(3) * 4)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (content, mac) = bytes.split_last_chunk::<MAC>()?;
        let is_genuine = std::iter::once(&self.present).chain(&self.previous).any(|key| {
            let expected = hmac::sign(key, content);
            aws_lc_rs::constant_time::verify_slices_are_equal(&expected.as_ref()[..MAC], mac).is_ok()
        });
        let (id, accounts) = content.split_first_chunk::<ID>().filter(|_| is_genuine)?;
        let accounts = accounts.as_chunks::<ID>().0.iter().copied().map(Pseudonym);
        Some(KnownDevice::new(DeviceId::from(Uuid::from_bytes(*id)), accounts))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn tokens(present: &str, previous: Option<&str>) -> HmacDeviceTokens {
        let secret = |text: &str| RootSecret::new(&text.into());
        HmacDeviceTokens::new(&RootSecrets { present: secret(present), previous: previous.map(secret) })
    }

    fn device(accounts: u8) -> KnownDevice {
        let accounts = (0..accounts).map(|number| Pseudonym([number; 16]));
        KnownDevice::new(DeviceId::generate(DateTime::UNIX_EPOCH), accounts)
    }

    #[test]
    fn a_token_is_read_back() {
        let tokens = tokens("a secret", None);
        for accounts in 0..=5 {
            let device = device(accounts);
            assert_eq!(tokens.read(&tokens.write(&device)), Some(device));
        }
    }

    #[test]
    fn no_other_text_is_a_token() {
        let tokens = tokens("a secret", None);
        let text = tokens.write(&device(5));
        for (at, _) in text.char_indices() {
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert_eq!(tokens.read(&changed), None, "{changed}");
        }
        for other in
            ["", PREFIX, &text[1..], &text[..text.len() - 4], &format!("{text}AAAA"), &"A".repeat(4096)]
        {
            assert_eq!(tokens.read(other), None, "{other}");
        }
    }

    #[test]
    fn a_device_is_known_for_as_long_as_its_secret_is() {
        let text = tokens("old", None).write(&device(1));
        assert!(tokens("new", Some("old")).read(&text).is_some());
        assert!(tokens("new", None).read(&text).is_none());
    }
}
