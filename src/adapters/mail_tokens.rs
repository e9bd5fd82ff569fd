//! One-time tokens for mails: a MAC over the mail's id and the purpose, with a key derived from the configured secret. Whoever
//! reads the database, or a backup of it, can make none.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::root_secret::{RootSecret, RootSecrets};
use crate::domain::{MailId, MailToken, MailTokenDigest, MailTokenPurpose, PresentedMailToken};
use crate::ports::MailTokens;

/// Bytes of an id, and of the MAC after it: 192 bits, of which nobody can guess one.
const ID: usize = 16;
const MAC: usize = 24;

/// [`MailTokens`] with HMAC-SHA256. A token is a prefix that tells its purpose, and base64url of the id and the MAC.
pub struct HmacMailTokens {
    present: hmac::Key,
    previous: Option<hmac::Key>,
}

impl HmacMailTokens {
    /// Tokens under these secrets.
    #[must_use]
    pub fn new(secrets: &RootSecrets) -> Self {
        let key =
            |secret: &RootSecret| hmac::Key::new(hmac::HMAC_SHA256, secret.derive("mailed token").as_slice());
        Self { present: key(&secrets.present), previous: secrets.previous.as_ref().map(key) }
    }

    fn keys(&self) -> impl Iterator<Item = &hmac::Key> {
        std::iter::once(&self.present).chain(&self.previous)
    }
}

impl MailTokens for HmacMailTokens {
    fn issue(&self, id: MailId, purpose: MailTokenPurpose) -> MailTokenDigest {
        digest_of(&write(&self.present, id, purpose))
    }

    fn recover(&self, presented: PresentedMailToken) -> Option<MailToken> {
        self.keys()
            .map(|key| write(key, presented.id, presented.purpose))
            .find(|text| digest_of(text) == presented.digest)
            .map(MailToken::new)
    }

    fn read(&self, text: &str, purpose: MailTokenPurpose) -> Option<PresentedMailToken> {
        let encoded = text.strip_prefix(prefix(purpose))?;
        let bytes: [u8; ID + MAC] = URL_SAFE_NO_PAD.decode(encoded).ok()?.try_into().ok()?;
        let (id, _) = bytes.split_first_chunk::<ID>()?;
        let id = MailId::from(Uuid::from_bytes(*id));
        let digest = digest_of(text);
        self.recover(PresentedMailToken { id, purpose, digest })?;
        Some(PresentedMailToken { id, purpose, digest })
    }
}

fn write(key: &hmac::Key, id: MailId, purpose: MailTokenPurpose) -> String {
    let id = Uuid::from(id).into_bytes();
    let mac = hmac::sign(key, &[purpose.as_str().as_bytes(), b"\0", &id].concat());
    let encoded = URL_SAFE_NO_PAD.encode([id.as_slice(), &mac.as_ref()[..MAC]].concat());
    format!("{}{encoded}", prefix(purpose))
}

/// What a token of this kind begins with, so that scanners for leaked secrets and people can tell what it is.
fn prefix(purpose: MailTokenPurpose) -> &'static str {
    match purpose {
        MailTokenPurpose::VerifyEmail => "authql_verify_",
        MailTokenPurpose::ResetPassword => "authql_reset_",
        MailTokenPurpose::ConfirmEmailChange => "authql_change_",
    }
}

fn digest_of(text: &str) -> MailTokenDigest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    MailTokenDigest(bytes)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn tokens(present: &str, previous: Option<&str>) -> HmacMailTokens {
        let secret = |text: &str| RootSecret::new(&text.into());
        HmacMailTokens::new(&RootSecrets { present: secret(present), previous: previous.map(secret) })
    }

    fn mailed(tokens: &HmacMailTokens, purpose: MailTokenPurpose) -> String {
        let id = MailId::generate(DateTime::UNIX_EPOCH);
        let digest = tokens.issue(id, purpose);
        tokens.recover(PresentedMailToken { id, purpose, digest }).unwrap().expose().to_owned()
    }

    #[test]
    fn a_token_is_read_back_for_its_own_purpose_only() {
        let tokens = tokens("a secret", None);
        for purpose in MailTokenPurpose::ALL {
            let text = mailed(&tokens, purpose);
            for other in MailTokenPurpose::ALL {
                assert_eq!(tokens.read(&text, other).is_some(), other == purpose, "{text}");
                let relabelled = text.replacen(prefix(purpose), prefix(other), 1);
                assert_eq!(tokens.read(&relabelled, other).is_some(), other == purpose, "{relabelled}");
            }
        }
    }

    #[test]
    fn no_other_text_is_a_token() {
        let tokens = tokens("a secret", None);
        let text = mailed(&tokens, MailTokenPurpose::ResetPassword);
        assert_eq!(text.len(), "authql_reset_".len() + 54);
        for (at, _) in text.char_indices() {
            let changed = format!(
                "{}{}{}",
                &text[..at],
                if &text[at..=at] == "A" { "B" } else { "A" },
                &text[at + 1..]
            );
            assert!(tokens.read(&changed, MailTokenPurpose::ResetPassword).is_none(), "{changed}");
        }
        for other in [
            "",
            "authql_reset_",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}A"),
            &format!("{text}="),
        ] {
            assert!(tokens.read(other, MailTokenPurpose::ResetPassword).is_none(), "{other}");
        }
    }

    #[test]
    fn a_token_outlives_a_change_of_the_secret_as_long_as_both_are_known() {
        let text = mailed(&tokens("old", None), MailTokenPurpose::VerifyEmail);
        assert!(tokens("new", Some("old")).read(&text, MailTokenPurpose::VerifyEmail).is_some());
        assert!(tokens("new", None).read(&text, MailTokenPurpose::VerifyEmail).is_none());
    }
}
