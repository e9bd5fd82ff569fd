//! bcrypt, scrypt and PBKDF2: what accounts bring along from the system that they had before.

use std::num::NonZeroU32;

use argon2::password_hash::phc::PasswordHash;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512};
use base64::Engine;
use base64::alphabet::Alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};

use crate::domain::Password;
use crate::ports::{Unexpected, UnusableHash};

/// The highest cost of an imported bcrypt hash: a second.
const MAX_BCRYPT_COST: u32 = 14;
/// The most memory of an imported scrypt hash, in bytes: 256 MiB.
const MAX_SCRYPT_MEMORY: u64 = 256 * 1024 * 1024;
/// The most `N * r * p` of an imported scrypt hash: a second.
const MAX_SCRYPT_WORK: u64 = 1 << 21;
/// The most iterations of an imported PBKDF2 hash: a second with SHA-512, less with SHA-256.
const MAX_PBKDF2_ITERATIONS: u32 = 2_000_000;

/// The salt of an imported hash, in bytes.
const SALT: std::ops::RangeInclusive<usize> = 8..=64;
/// The output of an imported hash, in bytes. Under 16, some other password would be found to match.
const OUTPUT: std::ops::RangeInclusive<usize> = 16..=64;

/// A hash that is never made here.
pub(super) enum ForeignHash {
    /// The whole text.
    Bcrypt(String),
    Scrypt {
        params: scrypt::Params,
        salt: Vec<u8>,
        output: Vec<u8>,
    },
    Pbkdf2 {
        digest: Digest,
        iterations: NonZeroU32,
        salt: Vec<u8>,
        output: Vec<u8>,
    },
}

/// What PBKDF2 is built on.
#[derive(Clone, Copy)]
pub(super) enum Digest {
    Sha256,
    Sha512,
}

impl ForeignHash {
    /// Reads a hash in the spelling of the system that made it. `None` when it is of no kind that is known here.
    pub(super) fn parse(text: &str) -> Option<Result<Self, UnusableHash>> {
        let (name, hash) = if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            ("bcrypt", bcrypt_hash(text))
        } else if text.starts_with("$scrypt$") {
            ("scrypt", scrypt_hash(text))
        } else if let Some(rest) = text.strip_prefix("$pbkdf2-sha256$") {
            ("PBKDF2", pbkdf2_hash(Digest::Sha256, text, rest))
        } else if let Some(rest) = text.strip_prefix("$pbkdf2-sha512$") {
            ("PBKDF2", pbkdf2_hash(Digest::Sha512, text, rest))
        } else if let Some(rest) = text.strip_prefix("pbkdf2_sha256$") {
            ("PBKDF2", django_hash(rest))
        } else {
            return None;
        };
        Some(hash.ok_or(UnusableHash::Malformed(name)))
    }

    /// Whether a login may cost as much.
    pub(super) fn check_cost(&self) -> Result<(), UnusableHash> {
        let reason = match self {
            Self::Bcrypt(text) if bcrypt_cost(text) > Some(MAX_BCRYPT_COST) => {
                UnusableHash::TooCostly("bcrypt", "too long (a cost above 14)")
            }
            Self::Scrypt { params, .. } if scrypt_memory(params) > MAX_SCRYPT_MEMORY => {
                UnusableHash::TooCostly("scrypt", "over 256 MiB of memory (128 times N times r)")
            }
            Self::Scrypt { params, .. } if scrypt_work(params) > MAX_SCRYPT_WORK => {
                UnusableHash::TooCostly("scrypt", "too long (N times r times p above 2097152)")
            }
            Self::Pbkdf2 { iterations, .. } if iterations.get() > MAX_PBKDF2_ITERATIONS => {
                UnusableHash::TooCostly("PBKDF2", "too long (over 2000000 iterations)")
            }
            Self::Bcrypt(_) | Self::Scrypt { .. } | Self::Pbkdf2 { .. } => return Ok(()),
        };
        Err(reason)
    }

    /// Whether it is the hash of this password. Compares in constant time.
    ///
    /// bcrypt looks at 72 bytes and no further, as it did where the hash was made.
    pub(super) fn is_of(&self, password: &Password) -> Result<bool, Unexpected> {
        let password = password.as_bytes();
        match self {
            Self::Bcrypt(text) => bcrypt::verify(password, text).map_err(fault),
            Self::Scrypt { params, salt, output } => {
                let mut computed = vec![0; output.len()];
                scrypt::scrypt(password, salt, params, &mut computed).map_err(fault)?;
                Ok(verify_slices_are_equal(&computed, output).is_ok())
            }
            Self::Pbkdf2 { digest, iterations, salt, output } => {
                let algorithm = match digest {
                    Digest::Sha256 => PBKDF2_HMAC_SHA256,
                    Digest::Sha512 => PBKDF2_HMAC_SHA512,
                };
                Ok(pbkdf2::verify(algorithm, *iterations, salt, password, output).is_ok())
            }
        }
    }
}

impl Digest {
    /// Bytes of one block. A longer output would cost as much again, and no more to somebody who guesses.
    fn block(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// `$2b$12$` and 53 characters in an alphabet of their own.
fn bcrypt_hash(text: &str) -> Option<ForeignHash> {
    text.parse::<bcrypt::HashParts>().ok()?;
    bcrypt_cost(text).map(|_| ForeignHash::Bcrypt(text.to_owned()))
}

fn bcrypt_cost(text: &str) -> Option<u32> {
    let digits = text.get(4..6).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok().filter(|cost| (4..=31).contains(cost))
}

/// `$scrypt$ln=17,r=8,p=1$salt$output`, a PHC string.
fn scrypt_hash(text: &str) -> Option<ForeignHash> {
    let hash = PasswordHash::new(text).ok().filter(|hash| hash.version.is_none())?;
    let number = |name| hash.params.get_decimal(name);
    let log_n = u8::try_from(number("ln")?).ok()?;
    let params = scrypt::Params::new(log_n, number("r")?, number("p")?).ok()?;
    let (salt, output) = (hash.salt?.to_vec(), hash.hash?.as_bytes().to_vec());
    OUTPUT.contains(&output.len()).then_some(ForeignHash::Scrypt { params, salt, output })
}

fn scrypt_memory(params: &scrypt::Params) -> u64 {
    let block = 128 * u64::from(params.r());
    block.saturating_mul(params.n().saturating_add(params.p().into()))
}

fn scrypt_work(params: &scrypt::Params) -> u64 {
    params.n().saturating_mul(params.r().into()).saturating_mul(params.p().into())
}

/// `$pbkdf2-sha256$i=600000,l=32$salt$output`, a PHC string; or as Python's passlib writes it,
/// `$pbkdf2-sha256$600000$salt$output`, with `.` for `+`.
fn pbkdf2_hash(digest: Digest, text: &str, rest: &str) -> Option<ForeignHash> {
    if let Ok(hash) = PasswordHash::new(text)
        && let Some(iterations) = hash.params.get_decimal("i")
    {
        return pbkdf2(digest, iterations, hash.salt?.to_vec(), hash.hash?.as_bytes().to_vec());
    }
    let [iterations, salt, output] = parts(rest)?;
    let alphabet = Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./").ok()?;
    let passlib = GeneralPurpose::new(&alphabet, NO_PAD);
    pbkdf2(digest, iterations.parse().ok()?, passlib.decode(salt).ok()?, passlib.decode(output).ok()?)
}

/// `pbkdf2_sha256$600000$salt$output` of Django: the characters of the salt are the salt.
fn django_hash(rest: &str) -> Option<ForeignHash> {
    let [iterations, salt, output] = parts(rest)?;
    pbkdf2(Digest::Sha256, iterations.parse().ok()?, salt.as_bytes().to_vec(), STANDARD.decode(output).ok()?)
}

fn parts(text: &str) -> Option<[&str; 3]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

fn pbkdf2(digest: Digest, iterations: u32, salt: Vec<u8>, output: Vec<u8>) -> Option<ForeignHash> {
    let is_whole =
        SALT.contains(&salt.len()) && OUTPUT.contains(&output.len()) && output.len() <= digest.block();
    let iterations = NonZeroU32::new(iterations).filter(|_| is_whole)?;
    Some(ForeignHash::Pbkdf2 { digest, iterations, salt, output })
}

fn fault(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unexpected {
    Unexpected::fault("an imported password hash failed", error)
}
