//! What operators work with on the command line, beside the servers that run.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::StartError;
use super::compose::keys;
use super::passwords;
use super::servers::accelerators;
use crate::adapters::password_hashing::KnownFormats;
use crate::adapters::postgres::Database;
use crate::config::{Config, PasswordsConfig};
use crate::ports::Clock;
use crate::services::{Endings, EventHistory, MailDesk, Mirror, PasswordChoice, SessionDesk, UserDesk};

pub(super) async fn users(config: &Config, clock: Arc<dyn Clock>) -> Result<UserDesk, StartError> {
    let database = database(config).await?;
    let endings = Endings {
        clock: clock.clone(),
        rows: Arc::new(database.session_endings()),
        mirror: Arc::new(mirror(config, &database, &clock)?),
    };
    Ok(UserDesk {
        directory: Arc::new(database.user_directory()),
        formats: Arc::new(KnownFormats(passwords::peppers(&config.passwords)?)),
        endings: Arc::new(endings),
        clock,
    })
}

pub(super) async fn password_choice(config: &Config) -> Result<PasswordChoice, StartError> {
    passwords::require_peppers(&config.passwords, &database(config).await?).await?;
    passwords::choice(&PasswordsConfig { lanes: 1, ..config.passwords.clone() })
}

pub(super) async fn sessions(config: &Config, clock: Arc<dyn Clock>) -> Result<SessionDesk, StartError> {
    let signing = keys(config, clock.clone()).await?;
    let database = database(config).await?;
    Ok(SessionDesk {
        directory: Arc::new(database.user_directory()),
        signing,
        mirror: mirror(config, &database, &clock)?,
    })
}

fn mirror(config: &Config, database: &Database, clock: &Arc<dyn Clock>) -> Result<Mirror, StartError> {
    let revocations = accelerators(&config.stores, clock)?.revocations;
    let sessions = Arc::new(database.sessions());
    Ok(Mirror::new(revocations, sessions, clock.clone(), config.sessions.blacklist_ttl()))
}

pub(super) async fn mails(config: &Config, clock: Arc<dyn Clock>) -> Result<MailDesk, StartError> {
    Ok(MailDesk { clock, ledger: Arc::new(database(config).await?.mail_ledger()) })
}

pub(super) async fn events(config: &Config) -> Result<EventHistory, StartError> {
    Ok(EventHistory { events: Arc::new(database(config).await?.security_events()) })
}

/// The database of `DATABASE_URL`, its schema up to date.
async fn database(config: &Config) -> Result<Database, StartError> {
    let url = config.stores.database_url.as_ref().ok_or(StartError::NoDatabase)?;
    let database = Database::at(url.expose_secret())?;
    database.migrate().await?;
    Ok(database)
}
