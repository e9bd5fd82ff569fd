//! Tokens as JWTs: access tokens (RFC 9068) signed with Ed25519, refresh tokens under a MAC. Algorithm, `typ`, audience
//! and key are pinned for each kind (RFC 8725), so that none passes for the other.

mod verified;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::verified::Verified;
use super::root_secret::{RootSecret, RootSecrets};
use crate::domain::{
    AccessToken, CLOCK_SKEW, IssuedToken, KeyId, KeyRing, RefreshToken, Session, SigningKey, TokenPair,
};
use crate::ports::{OpenKey, TokenError, Tokens, Unexpected};

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 4096;

/// [`Tokens`] as signed JWTs.
pub struct JwtTokens {
    issuer: String,
    access_ttl: TimeDelta,
    access: RwLock<Arc<AccessKeys>>,
    /// The one that is issued, and the one that still works after the secret was changed.
    refresh: (Kind, Option<Kind>),
    /// What verified tokens are remembered by.
    tag_key: hmac::Key,
}

/// The keys of access tokens, by their `kid`.
#[derive(Default)]
struct AccessKeys {
    ring: KeyRing,
    by_id: HashMap<KeyId, (SigningKey, Kind)>,
    verified: Verified,
}

/// An access token that was signed with a key of ours. Its times are still to be judged.
#[derive(Clone, Copy)]
struct Genuine {
    token: AccessToken,
    /// The later of `iat` and `nbf`.
    not_before: i64,
    /// When its key is gone.
    gone_at: Option<DateTime<Utc>>,
}

/// All that is pinned for one kind of token under one key.
struct Kind {
    header: Header,
    audience: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    client_id: String,
    sid: Uuid,
    #[serde(rename = "gen")]
    generation: i32,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

/// Every header parameter that a token of ours has. Others, such as `jku`, `jwk`, `x5c`, `crit`, `zip`, are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinnedHeader {
    alg: String,
    typ: String,
    kid: String,
}

impl JwtTokens {
    /// Tokens of `issuer`. No access token can be issued or read before there are [keys](Tokens::use_keys).
    ///
    /// # Errors
    /// [`Unexpected`] without random numbers.
    pub fn new(issuer: &str, access_ttl: TimeDelta, secrets: &RootSecrets) -> Result<Self, Unexpected> {
        let refresh = |secret: &RootSecret| refresh_kind(issuer, secret);
        let tag_key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|error| Unexpected::fault("no random numbers", error))?;
        Ok(Self {
            issuer: issuer.to_owned(),
            access_ttl,
            access: RwLock::default(),
            refresh: (refresh(&secrets.present), secrets.previous.as_ref().map(refresh)),
            tag_key,
        })
    }

    fn access_keys(&self) -> Arc<AccessKeys> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn claims(
        &self,
        session: &Session,
        kind: &Kind,
        issued: DateTime<Utc>,
        expires: DateTime<Utc>,
    ) -> Claims {
        Claims {
            iss: self.issuer.clone(),
            aud: kind.audience.clone(),
            sub: session.user_id.into(),
            client_id: "authql".to_owned(),
            sid: session.id.into(),
            generation: session.generation.into(),
            iat: issued.timestamp(),
            nbf: issued.timestamp(),
            exp: expires.timestamp(),
            jti: format!("{}.{}", session.id, i32::from(session.generation)),
        }
    }

    /// What a token says that is signed with one of these keys.
    fn genuine(text: &str, keys: &AccessKeys) -> Result<Genuine, TokenError> {
        let header = PinnedHeader::read(text)?;
        let (key, kind) = keys.by_id.get(header.kid.as_str()).ok_or(TokenError::Invalid)?;
        let claims = kind.read(text, &header)?;
        let token = AccessToken {
            user_id: claims.sub.into(),
            session_id: claims.sid.into(),
            generation: claims.generation.into(),
            expires_at: DateTime::from_timestamp(claims.exp, 0).ok_or(TokenError::Invalid)?,
        };
        Ok(Genuine { token, not_before: claims.iat.max(claims.nbf), gone_at: key.gone_at })
    }
}

impl Genuine {
    fn judge(self, now: DateTime<Utc>) -> Result<AccessToken, TokenError> {
        if self.not_before > (now + CLOCK_SKEW).timestamp() {
            return Err(TokenError::Invalid);
        }
        if self.token.expires_at <= now {
            return Err(TokenError::Expired);
        }
        if self.gone_at.is_some_and(|gone_at| gone_at <= now) {
            return Err(TokenError::Invalid);
        }
        Ok(self.token)
    }
}

impl Tokens for JwtTokens {
    fn issue(&self, session: &Session, now: DateTime<Utc>) -> Result<TokenPair, Unexpected> {
        let keys = self.access_keys();
        let kind = keys.ring.active(now).and_then(|key| keys.by_id.get(&key.id));
        let (_, kind) = kind.ok_or_else(|| Unexpected::unavailable("the signing key", "there is none"))?;
        let mut access = self.claims(session, kind, now, session.expires_at.min(now + self.access_ttl));
        access.jti = Uuid::new_v4().to_string();
        let (refresh_kind, _) = &self.refresh;
        let refresh = self.claims(session, refresh_kind, session.rotated_at, session.expires_at);
        Ok(TokenPair { access: kind.write(&access, now)?, refresh: refresh_kind.write(&refresh, now)? })
    }

    fn read_access(&self, text: &str, now: DateTime<Utc>) -> Result<AccessToken, TokenError> {
        if text.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let keys = self.access_keys();
        let tag = Verified::tag(&self.tag_key, text);
        if let Some(genuine) = keys.verified.find(&tag) {
            return genuine.judge(now);
        }
        let genuine = Self::genuine(text, &keys)?;
        let token = genuine.judge(now)?;
        keys.verified.remember(tag, genuine, now);
        Ok(token)
    }

    fn read_expired_access(&self, text: &str) -> Result<AccessToken, TokenError> {
        Self::genuine(text, &self.access_keys()).map(|genuine| genuine.token)
    }

    fn read_refresh(&self, text: &str) -> Result<RefreshToken, TokenError> {
        let header = PinnedHeader::read(text)?;
        let (present, previous) = &self.refresh;
        let mut kinds = std::iter::once(present).chain(previous);
        let kind = kinds.find(|kind| kind.header.kid.as_ref() == Some(&header.kid));
        let claims = kind.ok_or(TokenError::Invalid)?.read(text, &header)?;
        Ok(RefreshToken { session_id: claims.sid.into(), generation: claims.generation.into() })
    }

    fn use_keys(&self, keys: &[OpenKey]) -> Result<(), Unexpected> {
        let by_id = keys
            .iter()
            .map(|open| Ok((open.key.id.clone(), (open.key.clone(), access_kind(&self.issuer, open)?))));
        let by_id = by_id.collect::<Result<_, Unexpected>>()?;
        let ring = KeyRing::new(keys.iter().map(|open| open.key.clone()).collect());
        *self.access.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(AccessKeys { ring, by_id, verified: Verified::default() });
        Ok(())
    }
}

fn access_kind(issuer: &str, open: &OpenKey) -> Result<Kind, Unexpected> {
    let public = &open.key.public;
    let pair = Ed25519KeyPair::from_seed_and_public_key(open.seed.expose_secret(), public)
        .map_err(|error| Unexpected::fault("no signing key", error.to_string()))?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|error| Unexpected::fault("no signing key", error))?;
    Ok(Kind::new(
        Algorithm::EdDSA,
        ("at+jwt", open.key.id.as_str().to_owned()),
        (issuer, issuer.to_owned()),
        EncodingKey::from_ed_der(pkcs8.as_ref()),
        DecodingKey::from_ed_der(public),
    ))
}

fn refresh_kind(issuer: &str, secret: &RootSecret) -> Kind {
    let mac = secret.derive("refresh token MAC key");
    Kind::new(
        Algorithm::HS256,
        ("rt+jwt", mac_key_id(mac.as_slice())),
        (issuer, format!("{issuer}#refresh")),
        EncodingKey::from_secret(mac.as_slice()),
        DecodingKey::from_secret(mac.as_slice()),
    )
}

impl PinnedHeader {
    fn read(text: &str) -> Result<Self, TokenError> {
        if text.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let (header, _) = text.split_once('.').ok_or(TokenError::Invalid)?;
        let header: Self = from_base64_json(header)?;
        // Nothing longer is looked up.
        KeyId::parse(&header.kid).map(|_| header).ok_or(TokenError::Invalid)
    }
}

impl Kind {
    fn new(
        algorithm: Algorithm,
        (typ, kid): (&str, String),
        (issuer, audience): (&str, String),
        signing: EncodingKey,
        verifying: DecodingKey,
    ) -> Self {
        let mut header = Header::new(algorithm);
        header.typ = Some(typ.to_owned());
        header.kid = Some(kid);
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[&audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        // Times are judged by our own clock, which tests move.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { header, audience, signing, verifying, validation }
    }

    fn write(&self, claims: &Claims, now: DateTime<Utc>) -> Result<IssuedToken, Unexpected> {
        let text = encode(&self.header, claims, &self.signing)
            .map_err(|error| Unexpected::fault("a token was not signed", error))?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0)
            .ok_or_else(|| Unexpected::fault("a token was not signed", "its expiry is out of range"))?;
        Ok(IssuedToken { text: SecretString::from(text), expires_at, lifetime: expires_at - now })
    }

    /// The claims of a token whose header, signature, issuer and audience are right.
    fn read(&self, text: &str, header: &PinnedHeader) -> Result<Claims, TokenError> {
        let expected = (self.header.typ.as_ref(), self.header.kid.as_ref());
        if header.alg != format!("{:?}", self.header.alg)
            || (Some(&header.typ), Some(&header.kid)) != expected
        {
            return Err(TokenError::Invalid);
        }
        decode(text, &self.verifying, &self.validation)
            .map(|data| data.claims)
            .map_err(|_| TokenError::Invalid)
    }
}

fn from_base64_json<T: DeserializeOwned>(text: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Invalid)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Invalid)
}

/// A name for a secret key that tells nothing about it.
fn mac_key_id(key: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, key).as_ref()[..12])
}

#[cfg(test)]
mod tests;
