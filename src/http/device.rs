//! Device tokens: what a client keeps from one login to the next, so that an attack on its account does not hold it up.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

/// The header by which a client gets its token, and gives it back.
const DEVICE_TOKEN: HeaderName = HeaderName::from_static("x-device-token");
/// The longest token that is looked at, in bytes.
const LONGEST: usize = 256;

/// The token of a request, unchecked.
pub(super) fn token(headers: &HeaderMap) -> Option<SecretString> {
    let text = headers.get(DEVICE_TOKEN)?.to_str().ok()?;
    (text.len() <= LONGEST).then(|| text.into())
}

/// Gives the client of an answer its token.
pub(super) fn hand_over(token: Option<String>, headers: &mut HeaderMap) {
    if let Some(value) = token.and_then(|token| HeaderValue::try_from(token).ok()) {
        headers.insert(DEVICE_TOKEN, value);
    }
}
