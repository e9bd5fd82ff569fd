//! Cookie mode: a browser keeps the refresh token in a cookie that no script can read (docs/security.md CSR-2, CSR-5, LOG-9).
//!
//! A request asks for it with a header, which no page can send to another origin without being allowed to first, and is
//! refused unless it comes from a page of ours. Without the header no cookie is read and none is set.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};

use super::error::HttpError;
use crate::domain::Origins;
use crate::graphql::{CookieChange, RefreshCookie};

/// The header by which a request asks for cookie mode: `X-Token-Delivery: cookie`.
pub(super) const TOKEN_DELIVERY: HeaderName = HeaderName::from_static("x-token-delivery");

/// What browsers say about the page that a request comes from (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The cookie of a request that asks for cookie mode and may have it; `None` when it does not ask.
pub(super) fn open(headers: &HeaderMap, origins: &Origins) -> Result<Option<Arc<RefreshCookie>>, HttpError> {
    let Some(delivery) = headers.get(TOKEN_DELIVERY) else { return Ok(None) };
    if delivery != "cookie" {
        return Err(HttpError::UnknownDelivery);
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if !text(header::ORIGIN).is_some_and(|origin| origins.contains(origin)) {
        return Err(HttpError::ForeignOrigin);
    }
    if text(SEC_FETCH_SITE).is_some_and(|site| !["same-origin", "same-site"].contains(&site)) {
        return Err(HttpError::CrossSite);
    }
    Ok(Some(Arc::new(RefreshCookie::new(read(headers, name(origins))))))
}

/// What an answer tells the browser about the cookie.
pub(super) fn set_cookie(change: &CookieChange, origins: &Origins) -> Option<HeaderValue> {
    let (token, seconds) = match change {
        CookieChange::Keep(token) => (token.text.expose_secret(), token.lifetime.num_seconds()),
        CookieChange::Forget => ("", 0),
    };
    let secure = if origins.is_secure() { "; Secure" } else { "" };
    let name = name(origins);
    let text = format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// With `__Host-`, browsers take the cookie from this very host over TLS only, so that no neighbour can plant one. On
/// `http://localhost` not every browser takes it at all.
fn name(origins: &Origins) -> &'static str {
    if origins.is_secure() { "__Host-authql-refresh" } else { "authql-refresh" }
}

/// The cookie of that name.
pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, token)| *found == name && !token.is_empty()).map(|(_, token)| token.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(own: &str) -> Origins {
        Origins::parse("https://app.example.com", own).unwrap()
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, text)| (name.parse().unwrap(), text.parse().unwrap())).collect()
    }

    fn asked(pairs: &[(&str, &str)]) -> Result<bool, HttpError> {
        let mut headers = headers(pairs);
        headers.insert(TOKEN_DELIVERY, HeaderValue::from_static("cookie"));
        open(&headers, &origins("https://auth.example.com")).map(|cookie| cookie.is_some())
    }

    #[test]
    fn pages_of_ours_may_have_it() {
        for origin in ["https://auth.example.com", "https://app.example.com"] {
            assert_eq!(asked(&[("origin", origin)]), Ok(true));
            assert_eq!(asked(&[("origin", origin), ("sec-fetch-site", "same-site")]), Ok(true));
            assert_eq!(asked(&[("origin", origin), ("sec-fetch-site", "same-origin")]), Ok(true));
            assert_eq!(
                asked(&[("origin", origin), ("sec-fetch-site", "cross-site")]),
                Err(HttpError::CrossSite)
            );
            assert_eq!(asked(&[("origin", origin), ("sec-fetch-site", "none")]), Err(HttpError::CrossSite));
        }
    }

    #[test]
    fn nobody_else_may() {
        assert_eq!(asked(&[]), Err(HttpError::ForeignOrigin));
        for origin in ["https://evil.example", "http://app.example.com", "null", ""] {
            assert_eq!(asked(&[("origin", origin)]), Err(HttpError::ForeignOrigin), "{origin}");
        }
    }

    #[test]
    fn it_is_asked_for_by_its_header_alone() {
        let open = |delivery| {
            let mut headers =
                headers(&[("origin", "https://evil.example"), ("cookie", "authql-refresh=abc")]);
            if let Some(delivery) = delivery {
                headers.insert(TOKEN_DELIVERY, HeaderValue::from_static(delivery));
            }
            super::open(&headers, &origins("http://localhost")).map(|cookie| cookie.is_some())
        };
        assert_eq!(open(None), Ok(false));
        for delivery in ["", "Cookie", "body", "cookies"] {
            assert_eq!(open(Some(delivery)), Err(HttpError::UnknownDelivery), "{delivery}");
        }
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let read = |texts: &[&str]| {
            let pairs: Vec<_> = texts.iter().map(|text| ("cookie", *text)).collect();
            read(&headers(&pairs), "a").map(|token| token.expose_secret().to_owned())
        };
        for texts in [&["a=token"][..], &["b=1; a=token; c=2"], &["b=1", "c=2;a=token"], &["aa=1; a=token"]] {
            assert_eq!(read(texts).as_deref(), Some("token"), "{texts:?}");
        }
        for texts in [&[][..], &[""], &["a"], &["a="], &["A=token"], &["aa=token"]] {
            assert_eq!(read(texts), None, "{texts:?}");
        }
    }

    #[test]
    fn on_this_machine_it_needs_no_tls() {
        let forgotten = |own| set_cookie(&CookieChange::Forget, &origins(own)).unwrap();
        assert_eq!(
            forgotten("https://auth.example.com"),
            "__Host-authql-refresh=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(
            forgotten("http://localhost:8080"),
            "authql-refresh=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }
}
