//! The public keys that access tokens are verified with (RFC 7517).

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::Server;

/// How long a copy may be kept. Keys are published at least ten minutes before they sign.
const CACHE: &str = "public, max-age=300";

/// The JSON Web Key Set. Answered from memory, and open to pages of every origin: it is for everybody.
pub(super) async fn jwks(State(server): State<Server>) -> Response {
    let keys = server.services.signing.published().into_iter().map(|key| {
        // RFC 8037 for the members of an Ed25519 key.
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": URL_SAFE_NO_PAD.encode(key.public),
            "kid": key.id.as_str(),
            "use": "sig",
            "alg": "EdDSA",
        })
    });
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, CACHE),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, json!({"keys": keys.collect::<Vec<_>>()}).to_string()).into_response()
}
