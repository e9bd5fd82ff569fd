//! Tokens as JWTs: access tokens (RFC 9068) signed with Ed25519, refresh tokens under a MAC. Algorithm, `typ`, audience
//! and key are pinned for each kind (RFC 8725), so that none passes for the other.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::root_secret::RootSecret;
use crate::domain::{AccessToken, IssuedToken, RefreshToken, Session, TokenPair};
use crate::ports::{TokenError, Tokens, Unexpected};

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 4096;
/// How far ahead of ours the clock of the instance that issued a token may be.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// [`Tokens`] as signed JWTs.
pub struct JwtTokens {
    issuer: String,
    access_ttl: TimeDelta,
    access: Kind,
    refresh: Kind,
}

/// All that is pinned for one kind of token.
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
    /// Tokens of `issuer`, with keys derived from the root secret.
    ///
    /// # Errors
    /// When the cryptographic library does not work: found here, at the start, and not at the first login.
    pub fn new(issuer: &str, access_ttl: TimeDelta, secret: &RootSecret) -> Result<Self, Unexpected> {
        let seed = secret.derive("access token signing key");
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
            .map_err(|error| Unexpected::fault("no signing key", error.to_string()))?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|error| Unexpected::fault("no signing key", error))?;
        let public = pair.public_key().as_ref();
        let mac = secret.derive("refresh token MAC key");
        Ok(Self {
            issuer: issuer.to_owned(),
            access_ttl,
            access: Kind::new(
                Algorithm::EdDSA,
                ("at+jwt", key_id(public)),
                (issuer, issuer.to_owned()),
                EncodingKey::from_ed_der(pkcs8.as_ref()),
                DecodingKey::from_ed_der(public),
            ),
            refresh: Kind::new(
                Algorithm::HS256,
                ("rt+jwt", key_id(digest(&SHA256, mac.as_slice()).as_ref())),
                (issuer, format!("{issuer}#refresh")),
                EncodingKey::from_secret(mac.as_slice()),
                DecodingKey::from_secret(mac.as_slice()),
            ),
        })
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

    fn read_genuine_access(&self, text: &str) -> Result<(AccessToken, Claims), TokenError> {
        let claims = self.access.read(text)?;
        let token = AccessToken {
            user_id: claims.sub.into(),
            session_id: claims.sid.into(),
            generation: claims.generation.into(),
            expires_at: DateTime::from_timestamp(claims.exp, 0).ok_or(TokenError::Invalid)?,
        };
        Ok((token, claims))
    }
}

impl Tokens for JwtTokens {
    fn issue(&self, session: &Session, now: DateTime<Utc>) -> Result<TokenPair, Unexpected> {
        let mut access =
            self.claims(session, &self.access, now, session.expires_at.min(now + self.access_ttl));
        access.jti = Uuid::new_v4().to_string();
        let refresh = self.claims(session, &self.refresh, session.rotated_at, session.expires_at);
        Ok(TokenPair { access: self.access.write(&access)?, refresh: self.refresh.write(&refresh)? })
    }

    fn read_access(&self, text: &str, now: DateTime<Utc>) -> Result<AccessToken, TokenError> {
        let (token, claims) = self.read_genuine_access(text)?;
        if claims.iat.max(claims.nbf) > (now + LEEWAY).timestamp() {
            return Err(TokenError::Invalid);
        }
        if token.expires_at <= now {
            return Err(TokenError::Expired);
        }
        Ok(token)
    }

    fn read_expired_access(&self, text: &str) -> Result<AccessToken, TokenError> {
        self.read_genuine_access(text).map(|(token, _)| token)
    }

    fn read_refresh(&self, text: &str) -> Result<RefreshToken, TokenError> {
        let claims = self.refresh.read(text)?;
        Ok(RefreshToken { session_id: claims.sid.into(), generation: claims.generation.into() })
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

    fn write(&self, claims: &Claims) -> Result<IssuedToken, Unexpected> {
        let text = encode(&self.header, claims, &self.signing)
            .map_err(|error| Unexpected::fault("a token was not signed", error))?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0)
            .ok_or_else(|| Unexpected::fault("a token was not signed", "its expiry is out of range"))?;
        Ok(IssuedToken { text: SecretString::from(text), expires_at })
    }

    /// The claims of a token whose header, signature, issuer and audience are right.
    fn read(&self, text: &str) -> Result<Claims, TokenError> {
        if text.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let (header, _) = text.split_once('.').ok_or(TokenError::Invalid)?;
        let header: PinnedHeader = from_base64_json(header)?;
        let expected = (&self.header.typ, &self.header.kid);
        if header.alg != format!("{:?}", self.header.alg)
            || (&Some(header.typ), &Some(header.kid)) != expected
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

/// A name for a key that tells nothing about it.
fn key_id(public: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, public).as_ref()[..12])
}

#[cfg(test)]
mod tests;
