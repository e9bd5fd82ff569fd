//! Device tokens: what a client keeps from one login to the next, so that an attack on its account does not hold it up. A
//! browser keeps its token in a cookie, without anybody's doing; who keeps no cookies has it from a header.
//!
//! The cookie signs nobody in and needs no guard: a page that has its visitor's browser send it gains nothing.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::SecretString;

use super::cookies;
use crate::domain::Origins;

/// The header by which a client gets its token, and gives it back.
pub(super) const DEVICE_TOKEN: HeaderName = HeaderName::from_static("x-device-token");
/// The longest token that is looked at, in bytes.
const LONGEST: usize = 256;
/// How long a browser keeps the cookie after a login: 400 days, as long as any does.
const MAX_AGE: u32 = 400 * 24 * 60 * 60;

/// The token of a request, unchecked.
pub(super) fn token(headers: &HeaderMap, origins: &Origins) -> Option<SecretString> {
    match headers.get(DEVICE_TOKEN) {
        Some(value) => value.to_str().ok().filter(|text| text.len() <= LONGEST).map(Into::into),
        None => cookies::read(headers, name(origins)),
    }
}

/// Gives the client of an answer its token, in both ways: we cannot know which of them it keeps.
pub(super) fn hand_over(token: Option<String>, headers: &mut HeaderMap, origins: &Origins) {
    let Some(token) = token else { return };
    let secure = if origins.is_secure() { "; Secure" } else { "" };
    let name = name(origins);
    let cookie = format!("{name}={token}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Strict{secure}");
    if let (Ok(token), Ok(cookie)) = (HeaderValue::try_from(token), HeaderValue::try_from(cookie)) {
        headers.insert(DEVICE_TOKEN, token);
        headers.append(header::SET_COOKIE, cookie);
    }
}

fn name(origins: &Origins) -> &'static str {
    if origins.is_secure() { "__Host-authql-device" } else { "authql-device" }
}
