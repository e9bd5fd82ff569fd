//! Forged, confused and malformed tokens (docs/security.md TOK-1 to TOK-5, TOK-7).

use aws_lc_rs::signature::KeyPair;
use secrecy::SecretBox;
use serde_json::{Value, json};

use super::*;
use crate::domain::{Lifetimes, UserId};

const ISSUER: &str = "https://auth.example.com";
const SECRET: &str = "a secret of at least thirty-two bytes";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 500_000_000).unwrap()
}

fn tokens() -> JwtTokens {
    tokens_of(ISSUER, SECRET)
}

/// Tokens whose one key has the same `kid` for each secret.
fn tokens_of(issuer: &str, secret: &str) -> JwtTokens {
    let tokens = without_keys(issuer, secret, None);
    tokens.use_keys(&[key(1, secret, now())]).unwrap();
    tokens
}

fn without_keys(issuer: &str, secret: &str, previous: Option<&str>) -> JwtTokens {
    let root = |text: &str| RootSecret::new(&text.into());
    let secrets = RootSecrets { present: root(secret), previous: previous.map(root) };
    JwtTokens::new(issuer, TimeDelta::minutes(15), &secrets).unwrap()
}

fn key(number: i32, secret: &str, activates_at: DateTime<Utc>) -> OpenKey {
    let seed = *RootSecret::new(&secret.into()).derive(&format!("key {number}"));
    let public =
        Ed25519KeyPair::from_seed_unchecked(&seed).unwrap().public_key().as_ref().try_into().unwrap();
    let id = KeyId::parse(&format!("key-{number}")).unwrap();
    let key = SigningKey { number, id, public, created_at: now(), activates_at, gone_at: None };
    OpenKey { key, seed: Arc::new(SecretBox::new(Box::new(seed))) }
}

fn session() -> Session {
    let lifetimes = Lifetimes {
        access: TimeDelta::minutes(15),
        idle: TimeDelta::days(30),
        absolute: TimeDelta::days(90),
    };
    Session::start(UserId::generate(now()), lifetimes, now())
}

fn access(tokens: &JwtTokens) -> String {
    tokens.issue(&session(), now()).unwrap().access.text.expose_secret().to_owned()
}

fn refresh(tokens: &JwtTokens) -> String {
    tokens.issue(&session(), now()).unwrap().refresh.text.expose_secret().to_owned()
}

fn part(token: &str, number: usize) -> Value {
    from_base64_json(token.split('.').nth(number).unwrap()).unwrap()
}

fn base64_json(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The token with another header, under its old signature.
fn with_header(token: &str, header: &Value) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", base64_json(header))
}

/// A token of this kind with a claim changed, properly signed: what a bug of ours might issue.
fn with_claim(tokens: &JwtTokens, token: &str, name: &str, value: Option<Value>) -> String {
    let mut claims = part(token, 1);
    match value {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().unwrap().remove(name)),
    }
    let keys = tokens.access_keys();
    let (_, kind) = &keys.by_id["key-1"];
    encode(&kind.header, &claims, &kind.signing).unwrap()
}

#[test]
fn a_token_tells_whose_it_is_and_nothing_personal() {
    let (tokens, session) = (tokens(), session());
    let pair = tokens.issue(&session, now()).unwrap();
    let access = tokens.read_access(pair.access.text.expose_secret(), now()).unwrap();
    assert_eq!((access.user_id, access.session_id), (session.user_id, session.id));
    assert_eq!(access.expires_at, DateTime::from_timestamp(1_700_000_900, 0).unwrap());
    let refresh = tokens.read_refresh(pair.refresh.text.expose_secret()).unwrap();
    assert_eq!((refresh.session_id, refresh.generation), (session.id, session.generation));

    let claims = part(pair.access.text.expose_secret(), 1);
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "client_id", "exp", "gen", "iat", "iss", "jti", "nbf", "sid", "sub"]);
}

#[test]
fn the_refresh_token_of_a_generation_is_always_the_same_and_the_access_token_never() {
    let (tokens, session) = (tokens(), session());
    let first = tokens.issue(&session, now()).unwrap();
    let later = tokens.issue(&session, now() + TimeDelta::seconds(20)).unwrap();
    assert_eq!(first.refresh.text.expose_secret(), later.refresh.text.expose_secret());
    assert_ne!(first.access.text.expose_secret(), later.access.text.expose_secret());
}

#[test]
fn one_kind_never_passes_for_the_other() {
    let tokens = tokens();
    assert_eq!(tokens.read_access(&refresh(&tokens), now()).unwrap_err(), TokenError::Invalid);
    assert_eq!(tokens.read_refresh(&access(&tokens)).unwrap_err(), TokenError::Invalid);
}

#[test]
fn tokens_of_another_issuer_or_another_secret_are_refused() {
    let tokens = tokens();
    for stranger in [
        tokens_of("https://evil.example.com", SECRET),
        tokens_of(ISSUER, "another secret of thirty-two bytes"),
    ] {
        assert_eq!(tokens.read_access(&access(&stranger), now()).unwrap_err(), TokenError::Invalid);
        assert_eq!(tokens.read_refresh(&refresh(&stranger)).unwrap_err(), TokenError::Invalid);
    }
}

#[test]
fn the_header_decides_nothing() {
    let tokens = tokens();
    let token = access(&tokens);
    let genuine = part(&token, 0);
    for alg in [json!("none"), json!("None"), json!("HS256"), json!("ES256"), json!(["EdDSA"]), json!(null)] {
        let mut header = genuine.clone();
        header["alg"] = alg;
        assert_eq!(
            tokens.read_access(&with_header(&token, &header), now()).unwrap_err(),
            TokenError::Invalid
        );
    }
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", json!("rt+jwt")),
        ("kid", json!("../../dev/null")),
        ("kid", json!("x".repeat(3000))),
        ("kid", json!("key-2")),
        ("kid", json!(["key-1"])),
        ("jku", json!("https://evil.example.com/jwks.json")),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})),
        ("x5c", json!(["AAAA"])),
        ("crit", json!(["b64"])),
        ("zip", json!("DEF")),
    ] {
        let mut header = genuine.clone();
        header[name] = value;
        assert_eq!(
            tokens.read_access(&with_header(&token, &header), now()).unwrap_err(),
            TokenError::Invalid
        );
    }
    for missing in ["alg", "typ", "kid"] {
        let mut header = genuine.clone();
        header.as_object_mut().unwrap().remove(missing);
        assert_eq!(
            tokens.read_access(&with_header(&token, &header), now()).unwrap_err(),
            TokenError::Invalid
        );
    }
}

#[test]
fn a_mac_with_the_public_key_is_no_signature() {
    let tokens = tokens();
    let token = access(&tokens);
    let public = tokens.access_keys().by_id["key-1"].0.public;
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some("key-1".to_owned());
    let forged = encode(&header, &part(&token, 1), &EncodingKey::from_secret(&public)).unwrap();
    assert_eq!(tokens.read_access(&forged, now()).unwrap_err(), TokenError::Invalid);
}

#[test]
fn every_claim_is_required_and_has_its_type() {
    let tokens = tokens();
    let token = access(&tokens);
    for name in ["iss", "aud", "sub", "sid", "gen", "iat", "nbf", "exp", "jti"] {
        let without = with_claim(&tokens, &token, name, None);
        assert_eq!(tokens.read_access(&without, now()).unwrap_err(), TokenError::Invalid, "without {name}");
    }
    for value in [json!("1700000900"), json!(null), json!([1_700_000_900]), json!(1e300), json!(true)] {
        for name in ["exp", "nbf", "iat", "gen"] {
            let odd = with_claim(&tokens, &token, name, Some(value.clone()));
            assert_eq!(tokens.read_access(&odd, now()).unwrap_err(), TokenError::Invalid, "{name} {value}");
        }
    }
    for (name, value) in [
        ("sub", json!("ada")),
        ("sid", json!(1)),
        ("aud", json!(format!("{ISSUER}#refresh"))),
        ("iss", json!("https://evil.example.com")),
    ] {
        let odd = with_claim(&tokens, &token, name, Some(value));
        assert_eq!(tokens.read_access(&odd, now()).unwrap_err(), TokenError::Invalid, "{name}");
    }
}

#[test]
fn a_sister_instance_may_be_a_minute_ahead_and_no_more() {
    let tokens = tokens();
    let token = access(&tokens);
    assert!(tokens.read_access(&token, now() - TimeDelta::seconds(60)).is_ok());
    assert_eq!(tokens.read_access(&token, now() - TimeDelta::seconds(62)).unwrap_err(), TokenError::Invalid);
}

#[test]
fn an_expired_token_is_known_as_such_only_if_it_is_genuine() {
    let tokens = tokens();
    let later = now() + TimeDelta::minutes(15);
    assert_eq!(tokens.read_access(&access(&tokens), later).unwrap_err(), TokenError::Expired);
    assert!(tokens.read_expired_access(&access(&tokens)).is_ok());
    let stranger = tokens_of(ISSUER, "another secret of thirty-two bytes");
    assert_eq!(tokens.read_access(&access(&stranger), later).unwrap_err(), TokenError::Invalid);
    assert_eq!(tokens.read_expired_access(&access(&stranger)).unwrap_err(), TokenError::Invalid);
}

#[test]
fn what_is_no_token_is_refused() {
    let tokens = tokens();
    let token = access(&tokens);
    // Any letter may stand there: put another one.
    let (start, rest) = token.split_at(token.len() - 10);
    let changed = format!("{start}{}{}", if rest.starts_with('A') { 'B' } else { 'A' }, &rest[1..]);
    let long = "a.".repeat(3000);
    for text in ["", ".", "..", "a.b.c", "\0", &token[..token.len() - 1], changed.as_str(), long.as_str()] {
        assert_eq!(tokens.read_access(text, now()).unwrap_err(), TokenError::Invalid, "{text}");
    }
}

#[test]
fn a_token_of_an_unknown_key_is_refused_however_well_it_is_signed() {
    let tokens = without_keys(ISSUER, SECRET, None);
    tokens.use_keys(&[key(1, SECRET, now()), key(2, SECRET, now())]).unwrap();
    let token = access(&tokens);
    assert_eq!(part(&token, 0)["kid"], "key-2", "the newest that has begun signs");
    assert!(tokens.read_access(&token, now()).is_ok());
    assert_eq!(tokens_of(ISSUER, SECRET).read_access(&token, now()).unwrap_err(), TokenError::Invalid);
    assert_eq!(tokens_of(ISSUER, SECRET).read_expired_access(&token).unwrap_err(), TokenError::Invalid);
}

#[test]
fn the_next_key_verifies_and_does_not_sign_before_its_time() {
    let tokens = without_keys(ISSUER, SECRET, None);
    let begins = now() + TimeDelta::minutes(1);
    tokens.use_keys(&[key(1, SECRET, now()), key(2, SECRET, begins)]).unwrap();
    let issued = |at| tokens.issue(&session(), at).unwrap().access.text.expose_secret().to_owned();
    assert_eq!(part(&issued(begins - TimeDelta::milliseconds(1)), 0)["kid"], "key-1");
    assert_eq!(part(&issued(begins), 0)["kid"], "key-2");
    // A sister whose clock is ahead has begun with it.
    assert!(tokens.read_access(&issued(begins), now()).is_ok());
}

#[test]
fn a_key_verifies_until_it_is_gone_and_a_retired_one_no_more() {
    let tokens = without_keys(ISSUER, SECRET, None);
    let (mut old, new) = (key(1, SECRET, now()), key(2, SECRET, now()));
    tokens.use_keys(&[old.clone()]).unwrap();
    let token = access(&tokens);
    old.key.gone_at = Some(now() + TimeDelta::minutes(1));
    tokens.use_keys(&[old, new.clone()]).unwrap();
    assert!(tokens.read_access(&token, now() + TimeDelta::seconds(59)).is_ok());
    let gone = now() + TimeDelta::minutes(1);
    assert_eq!(tokens.read_access(&token, gone).unwrap_err(), TokenError::Invalid);
    tokens.use_keys(&[new]).unwrap();
    assert_eq!(tokens.read_access(&token, now()).unwrap_err(), TokenError::Invalid);
}

#[test]
fn a_refresh_token_outlives_a_change_of_the_secret() {
    const NEW: &str = "a new secret of at least thirty-two bytes";
    let key = key(1, SECRET, now());
    let with = |secret, previous| {
        let tokens = without_keys(ISSUER, secret, previous);
        tokens.use_keys(std::slice::from_ref(&key)).unwrap();
        tokens
    };
    let (old, both, new) = (with(SECRET, None), with(NEW, Some(SECRET)), with(NEW, None));
    assert!(both.read_refresh(&refresh(&old)).is_ok());
    assert!(new.read_refresh(&refresh(&both)).is_ok(), "issued under the new one");
    assert_eq!(new.read_refresh(&refresh(&old)).unwrap_err(), TokenError::Invalid);
    assert!(new.read_access(&access(&old), now()).is_ok(), "signing keys do not depend on it");
    // In preparation, instances that still issue under the old one read the new one.
    assert!(with(SECRET, Some(NEW)).read_refresh(&refresh(&both)).is_ok());
}

#[test]
fn without_keys_nothing_is_issued_and_nothing_is_read() {
    let tokens = without_keys(ISSUER, SECRET, None);
    assert!(matches!(tokens.issue(&session(), now()), Err(Unexpected::Unavailable { .. })));
    let token = access(&tokens_of(ISSUER, SECRET));
    assert_eq!(tokens.read_access(&token, now()).unwrap_err(), TokenError::Invalid);
}

#[test]
fn a_remembered_token_is_judged_anew_each_time() {
    let tokens = without_keys(ISSUER, SECRET, None);
    let mut key = key(1, SECRET, now());
    tokens.use_keys(std::slice::from_ref(&key)).unwrap();
    let token = access(&tokens);
    let first = tokens.read_access(&token, now()).unwrap();
    let again = tokens.read_access(&token, now()).unwrap();
    assert_eq!((first.session_id, first.expires_at), (again.session_id, again.expires_at));
    let (early, late) = (now() - TimeDelta::seconds(62), now() + TimeDelta::minutes(15));
    assert_eq!(tokens.read_access(&token, early).unwrap_err(), TokenError::Invalid);
    assert_eq!(tokens.read_access(&token, late).unwrap_err(), TokenError::Expired);

    let forged = token.replacen('.', ".A", 1);
    assert_eq!(tokens.read_access(&forged, now()).unwrap_err(), TokenError::Invalid);

    key.key.gone_at = Some(now() + TimeDelta::seconds(1));
    tokens.use_keys(&[key]).unwrap();
    assert!(tokens.read_access(&token, now()).is_ok());
    assert_eq!(tokens.read_access(&token, now() + TimeDelta::seconds(1)).unwrap_err(), TokenError::Invalid);
    tokens.use_keys(&[]).unwrap();
    assert_eq!(tokens.read_access(&token, now()).unwrap_err(), TokenError::Invalid);
}
