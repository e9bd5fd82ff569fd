//! Other services verify access tokens as the README shows, in Node and in Rust (issue 3).

use std::fs;
use std::path::Path;

use authql::adapters::postgres::Database;
use authql::adapters::root_secret::{RootSecret, RootSecrets};
use authql::adapters::seal::AesGcmVault;
use authql::ports::{KeyVault, SigningKeys};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::{Mode, Node, TestApp, free_port};

#[path = "../../examples/verify.rs"]
#[expect(dead_code, reason = "its `main` is for people")]
mod example;

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Tokens that only the real signing key makes, each wrong in one thing.
struct Forger {
    header: Header,
    claims: Value,
    key: EncodingKey,
}

impl Forger {
    /// With the active key of `app`, opened as its instances open it.
    async fn of(app: &TestApp, token: &str) -> Self {
        let header = jsonwebtoken::decode_header(token).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let present = RootSecret::new(&app.setting("AUTHQL_SECRET").into());
        let vault = AesGcmVault::new(&RootSecrets { present, previous: None }).unwrap();
        let stored = Database::at(app.setting("DATABASE_URL")).unwrap().signing_keys().load().await.unwrap();
        let active = stored.iter().find(|row| header.kid.as_deref() == Some(row.key.id.as_str())).unwrap();
        let (seed, _) = vault.open(active).unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret()).unwrap();
        let key = EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref());
        Self { header, claims: serde_json::from_slice(&claims).unwrap(), key }
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        encode(&self.header, &claims, &self.key).unwrap()
    }

    fn with_header(&self, change: impl FnOnce(&mut Header)) -> String {
        let mut header = self.header.clone();
        change(&mut header);
        encode(&header, &self.claims, &self.key).unwrap()
    }

    fn unsigned(&self) -> String {
        let header = json!({"alg": "none", "typ": "at+jwt", "kid": self.header.kid});
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.", part(&header), part(&self.claims))
    }

    /// What a verifier has to refuse, and how each of them names it.
    fn refusals(&self) -> Vec<(String, &'static str, &'static str)> {
        let long_ago = json!(self.claims["iat"].as_i64().unwrap() - 120);
        let elsewhere = json!("https://elsewhere.example.com");
        vec![
            (self.with_claim("aud", elsewhere.clone()), "unexpected \"aud\"", "InvalidAudience"),
            (self.with_claim("iss", elsewhere), "unexpected \"iss\"", "InvalidIssuer"),
            (self.with_claim("exp", long_ago), "\"exp\" claim timestamp check failed", "ExpiredSignature"),
            (self.unsigned(), "\"alg\" (Algorithm) Header Parameter value not allowed", "JSON error"),
            (
                self.with_header(|header| header.typ = Some("JWT".into())),
                "unexpected \"typ\"",
                "no access token",
            ),
            (
                self.with_header(|header| header.kid = Some("other".into())),
                "no applicable key found",
                "unknown key",
            ),
            (self.with_claim("sub", json!("tampered")) + "A", "signature", "InvalidSignature"),
            (
                encode(
                    &Header { alg: Algorithm::HS256, ..self.header.clone() },
                    &self.claims,
                    &EncodingKey::from_secret(b"public"),
                )
                .unwrap(),
                "\"alg\" (Algorithm) Header Parameter value not allowed",
                "InvalidAlgorithm",
            ),
        ]
    }
}

/// An instance that listens where its issuer says.
async fn app() -> TestApp {
    let address = format!("127.0.0.1:{}", free_port());
    let issuer = format!("http://{address}");
    let settings = [("AUTHQL_LISTEN", address.as_str()), ("AUTHQL_PUBLIC_URL", issuer.as_str())];
    TestApp::start_with(Mode::ZeroConfiguration, &settings).await.unwrap()
}

#[test]
fn the_readme_shows_the_verifiers_that_are_tested() {
    let readme = file("README.md");
    for (language, path) in [("js", "examples/verify/node/verify.mjs"), ("rust", "examples/verify.rs")] {
        let block = readme.split_once(&format!("```{language}\n")).unwrap().1.split_once("```").unwrap().0;
        assert!(block.len() > 300 && file(path).contains(block), "README.md shows another {path}");
    }
}

#[tokio::test]
async fn rust_verifies_tokens_as_the_readme_shows() {
    let app = app().await;
    let token = app.registered("Ada").await.login(&app).await.access;
    let forger = Forger::of(&app, &token).await;
    let claims = example::verify(&app.url, &token).await.unwrap();
    assert_eq!(claims, forger.claims);
    for (token, _, reason) in forger.refusals() {
        let refusal = example::verify(&app.url, &token).await.unwrap_err().to_string();
        assert!(refusal.contains(reason), "{refusal} is not about {reason}");
    }
}

#[tokio::test]
async fn node_verifies_tokens_as_the_readme_shows() {
    let Some(node) = Node::with("examples/verify/node").await else { return };
    let app = app().await;
    let token = app.registered("Ada").await.login(&app).await.access;
    let forger = Forger::of(&app, &token).await;
    let text = |name: &str| forger.claims[name].as_str().unwrap();
    assert_eq!(
        node.run("verify.mjs", &[&app.url, &token]).await,
        Ok(format!("account {}, session {}\n", text("sub"), text("sid")))
    );
    for (token, reason, _) in forger.refusals() {
        let refusal = node.run("verify.mjs", &[&app.url, &token]).await.unwrap_err();
        assert!(refusal.contains(reason), "{refusal} is not about {reason}");
    }
}
