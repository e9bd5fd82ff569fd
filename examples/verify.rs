//! Verifies an access token: `cargo run --example verify -- https://auth.example.com "$ACCESS_TOKEN"`.

use std::error::Error;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

pub(crate) async fn verify(issuer: &str, token: &str) -> Result<Value, Box<dyn Error>> {
    // In a server: keep them for five minutes, and fetch them again for a `kid` that is not among them.
    let keys: JwkSet = reqwest::get(format!("{issuer}/.well-known/jwks.json")).await?.json().await?;
    let header = decode_header(token)?;
    if header.typ.as_deref() != Some("at+jwt") {
        return Err("this is no access token".into());
    }
    let key = keys.find(&header.kid.unwrap_or_default()).ok_or("signed with an unknown key")?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[issuer]);
    rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    Ok(decode::<Value>(token, &DecodingKey::from_jwk(key)?, &rules)?.claims)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [issuer, token] = &arguments[..] else { return Err("give an issuer and a token".into()) };
    let claims = verify(issuer, token).await?;
    println!("account {}, session {}", claims["sub"], claims["sid"]);
    Ok(())
}
