//! What passwords must be like, and how they are hashed.

use std::path::PathBuf;
use std::thread::available_parallelism;

use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, Environment, PasswordsConfig, parse};
use crate::domain::PasswordPolicy;

pub(super) fn passwords(
    environment: &Environment,
    secrets: [Option<&SecretString>; 2],
) -> Result<PasswordsConfig, ConfigError> {
    let pepper = secret(environment, "AUTHQL_PEPPER")?;
    let previous_pepper = secret(environment, "AUTHQL_PEPPER_PREVIOUS")?;
    for (name, pepper) in [("AUTHQL_PEPPER", &pepper), ("AUTHQL_PEPPER_PREVIOUS", &previous_pepper)] {
        if secrets.into_iter().any(|secret| is_same(pepper.as_ref(), secret)) {
            return Err(ConfigError::new(
                name,
                "is the same as AUTHQL_SECRET or AUTHQL_SECRET_PREVIOUS: give it random bytes of its own, such as the output of `openssl rand -base64 32`",
            ));
        }
    }
    if is_same(pepper.as_ref(), previous_pepper.as_ref()) {
        return Err(ConfigError::new(
            "AUTHQL_PEPPER_PREVIOUS",
            "is the same as AUTHQL_PEPPER: unset it, or set it to the other pepper",
        ));
    }
    let cores = available_parallelism().map_or(1, std::num::NonZero::get);
    let lanes = u32::try_from(cores.saturating_sub(1).clamp(1, 64)).unwrap_or(1);
    Ok(PasswordsConfig {
        policy: PasswordPolicy {
            min_length: environment.number("AUTHQL_PASSWORD_MIN_LENGTH", 8, 8, 128)? as usize,
        },
        breached: environment.get("AUTHQL_BREACHED_PASSWORDS")?.map(PathBuf::from),
        lanes: environment.number("AUTHQL_HASH_LANES", lanes, 1, 64)? as usize,
        memory_kib: environment.number("AUTHQL_HASH_MEMORY", 19_456, 7_168, 1_048_576)?,
        iterations: environment.number("AUTHQL_HASH_ITERATIONS", 2, 1, 20)?,
        pepper,
        previous_pepper,
    })
}

/// A secret that is good enough to be one.
fn secret(environment: &Environment, name: &'static str) -> Result<Option<SecretString>, ConfigError> {
    let secret = environment.secret(name)?;
    if let Some(secret) = &secret {
        parse::check_secret(name, secret)?;
    }
    Ok(secret)
}

fn is_same(one: Option<&SecretString>, other: Option<&SecretString>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one.expose_secret() == other.expose_secret())
}
