//! Pseudonyms: HMAC-SHA256 with a key derived from the configured secret, cut to 128 bits. Whoever reads Redis or the
//! database can neither tell what one stands for nor find out by trying all there is.

use aws_lc_rs::hmac;

use super::root_secret::RootSecret;
use crate::domain::Pseudonym;
use crate::ports::Pseudonyms;

/// [`Pseudonyms`] with HMAC-SHA256. With another secret they are others, and what was counted under them is forgotten.
pub struct HmacPseudonyms(hmac::Key);

impl HmacPseudonyms {
    /// Pseudonyms under this secret.
    #[must_use]
    pub fn new(secret: &RootSecret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.derive("pseudonym").as_slice()))
    }
}

impl Pseudonyms for HmacPseudonyms {
    fn of(&self, texts: &[&str]) -> Pseudonym {
        let mut context = hmac::Context::with_key(&self.0);
        for text in texts {
            // Each with its length, so that no two lists read the same.
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.sign().as_ref()[..16]);
        Pseudonym(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_of_texts_and_each_secret_has_its_own() {
        let pseudonyms = |secret: &str| HmacPseudonyms::new(&RootSecret::new(&secret.into()));
        let of = |texts: &[&str]| pseudonyms("a secret").of(texts);
        assert_eq!(of(&["ada@example.com"]), of(&["ada@example.com"]));
        assert_ne!(of(&["ada@example.com"]), of(&["bob@example.com"]));
        assert_ne!(of(&["a", "bc"]), of(&["ab", "c"]));
        assert_ne!(of(&["a", ""]), of(&["a"]));
        assert_ne!(of(&["a"]), pseudonyms("another secret").of(&["a"]));
    }
}
