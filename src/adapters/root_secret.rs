//! The one configured secret, and the keys that are derived from it: HKDF-SHA256 (RFC 5869), a key for each purpose.

use aws_lc_rs::hkdf;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Sets these keys apart from what anybody else may derive from the same secret.
const SALT: &[u8] = b"authql/v1";

/// The secret of `AUTHQL_SECRET`.
pub struct RootSecret(hkdf::Prk);

/// The secrets that are configured. New things are made under the present one; old ones open under either.
pub struct RootSecrets {
    /// The secret of `AUTHQL_SECRET`.
    pub present: RootSecret,
    /// The secret of `AUTHQL_SECRET_PREVIOUS`.
    pub previous: Option<RootSecret>,
}

impl RootSecret {
    /// Takes the secret as it was configured.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret.expose_secret().as_bytes()))
    }

    /// The 256-bit key for one purpose.
    ///
    /// # Panics
    /// Never: HKDF-SHA256 gives up to 8160 bytes.
    #[must_use]
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8160 bytes, and 32 are asked for")]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        self.0
            .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(key.as_mut_slice()))
            .expect("32 bytes from HKDF-SHA256");
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_and_each_secret_has_its_own_key() {
        let one = RootSecret::new(&"a secret".into());
        let other = RootSecret::new(&"another secret".into());
        assert_eq!(one.derive("refresh token"), one.derive("refresh token"));
        assert_ne!(one.derive("refresh token"), one.derive("access token"));
        assert_ne!(one.derive("refresh token"), other.derive("refresh token"));
    }
}
