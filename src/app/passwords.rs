//! How passwords are hashed and chosen.

use std::path::Path;
use std::sync::Arc;

use super::StartError;
use crate::adapters::breached_passwords::Sha1List;
use crate::adapters::password_hashing::{HashingLanes, Peppers};
use crate::adapters::postgres::Database;
use crate::config::{ConfigError, PasswordsConfig};
use crate::ports::BreachedPasswords;
use crate::services::PasswordChoice;

/// How many logins show which peppers are in use.
const LATEST_LOGINS: i64 = 100;

pub(super) fn choice(config: &PasswordsConfig) -> Result<PasswordChoice, StartError> {
    let breached = config.breached.as_deref().map(breached_passwords).transpose()?;
    let peppers = peppers(config)?;
    let hasher = HashingLanes::start(config.lanes, config.memory_kib, config.iterations, peppers)?;
    Ok(PasswordChoice { hasher: Arc::new(hasher), breached, policy: config.policy })
}

pub(super) fn peppers(config: &PasswordsConfig) -> Result<Peppers, StartError> {
    Ok(Peppers::new(config.pepper.as_ref(), config.previous_pepper.as_ref())?)
}

/// Without a pepper that is in use, everybody's password would be wrong. Who has logged in of late shows which one is.
pub(super) async fn require_peppers(config: &PasswordsConfig, database: &Database) -> Result<(), StartError> {
    let hashes = database.users().hashes_of_latest_logins(LATEST_LOGINS).await?;
    match peppers(config)?.find_missing(&hashes) {
        Some(id) => Err(StartError::Pepper(id)),
        None => Ok(()),
    }
}

/// The passwords that nobody may choose any more.
fn breached_passwords(file: &Path) -> Result<Arc<dyn BreachedPasswords>, ConfigError> {
    let setting = |error| ConfigError::new("AUTHQL_BREACHED_PASSWORDS", format!("names a file that {error}"));
    Ok(Arc::new(Sha1List::open(file).map_err(setting)?))
}
