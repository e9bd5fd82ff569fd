//! Which pages of other origins a browser lets read our answers (the fetch standard's CORS protocol).
//!
//! Who may read is decided by exact comparison, and no answer says so to anybody else: what varies with the origin says
//! `Vary: Origin`, also where there is none.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowCredentials, AllowOrigin, CorsLayer};

use super::cookies::TOKEN_DELIVERY;
use super::device::DEVICE_TOKEN;
use crate::domain::Origins;

/// What clients send that a browser would not let them send unasked: ours, and those of Apollo's clients.
const REQUEST_HEADERS: [HeaderName; 11] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    TOKEN_DELIVERY,
    DEVICE_TOKEN,
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("apollographql-client-name"),
    HeaderName::from_static("apollographql-client-version"),
    HeaderName::from_static("apollographql-library-name"),
    HeaderName::from_static("apollographql-library-version"),
    HeaderName::from_static("x-apollo-operation-id"),
    HeaderName::from_static("x-apollo-operation-name"),
];

/// What scripts may read besides the body. `Date` is how they learn our clock.
const RESPONSE_HEADERS: [HeaderName; 4] =
    [header::DATE, header::RETRY_AFTER, DEVICE_TOKEN, HeaderName::from_static("x-request-id")];

/// How long a browser need not ask again; Chromium takes no more.
const MAX_AGE: Duration = Duration::from_hours(2);

/// Lets pages of these origins call a route with `methods`, and read what it answers.
pub(super) fn layer<const N: usize>(origins: &Arc<Origins>, methods: [Method; N]) -> CorsLayer {
    let is_ours = |origins: &Arc<Origins>| {
        let origins = Arc::clone(origins);
        move |origin: &HeaderValue, _: &Parts| origin.to_str().is_ok_and(|origin| origins.contains(origin))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_ours(origins)))
        .allow_credentials(AllowCredentials::predicate(is_ours(origins)))
        .allow_methods(methods)
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(RESPONSE_HEADERS)
        .max_age(MAX_AGE)
}
