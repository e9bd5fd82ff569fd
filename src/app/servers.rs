//! The servers that the settings name, or their stand-ins on this machine.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use secrecy::ExposeSecret;
use url::Url;

use super::StartError;
use crate::adapters::embedded::{self, PrivatePostgres};
use crate::adapters::local::{
    DataFolder, DataFolderError, FileMailbox, LocalMailQueue, LocalRateLimiter, LocalRevocations,
};
use crate::adapters::postgres::Database;
use crate::adapters::redis::{Redis, RedisMailQueue, RedisRateLimiter, RedisRevocations};
use crate::adapters::smtp::{self, SmtpMailer};
use crate::adapters::templates::{Stationery, Templates};
use crate::config::{Config, MailConfig, StoresConfig};
use crate::ports::{Clock, MailQueue, Mailbox, Mailer, RateLimiter, Revocations};

/// The data folder, opened by the first stand-in that needs it.
pub(super) struct LazyFolder<'a> {
    path: &'a Path,
    open: OnceLock<DataFolder>,
}

impl<'a> LazyFolder<'a> {
    pub(super) fn at(path: &'a Path) -> Self {
        Self { path, open: OnceLock::new() }
    }

    /// The folder, if anything needed it.
    pub(super) fn into_inner(self) -> Option<DataFolder> {
        self.open.into_inner()
    }

    pub(super) fn get(&self) -> Result<&DataFolder, DataFolderError> {
        if let Some(folder) = self.open.get() {
            return Ok(folder);
        }
        let folder = DataFolder::open(self.path)?;
        Ok(self.open.get_or_init(|| folder))
    }
}

/// The database, its schema up to date.
pub(super) async fn database(
    stores: &StoresConfig,
    data: &LazyFolder<'_>,
) -> Result<(Database, Option<PrivatePostgres>), StartError> {
    let (database, embedded) = if let Some(url) = &stores.database_url {
        (Database::at(url.expose_secret())?, None)
    } else {
        let server = PrivatePostgres::start(data.get()?.path()).await?;
        let folder = server.socket_folder();
        (Database::on_socket(folder, embedded::PORT, embedded::USER, embedded::DATABASE), Some(server))
    };
    database.migrate().await?;
    Ok((database, embedded))
}

/// Brings the database of `DATABASE_URL` up to date, and nothing else.
pub(super) async fn migrate(config: &Config) -> Result<(), StartError> {
    let url = config.stores.database_url.as_ref().ok_or(StartError::NothingToMigrate)?;
    Ok(Database::at(url.expose_secret())?.migrate().await?)
}

pub(super) type MailerAndMailbox = (Arc<dyn Mailer>, Option<Arc<dyn Mailbox>>);

/// An SMTP server, or files that the mailbox page shows.
pub(super) fn mailer(config: &Config, data: &LazyFolder<'_>) -> Result<MailerAndMailbox, StartError> {
    let MailConfig { smtp_url, sender, templates, .. } = &config.mail;
    if let Some(sender) = sender {
        smtp::sender(sender)?;
    }
    let site = Url::parse(&config.http.public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let stationery = Stationery {
        folder: templates.clone(),
        sender: sender.clone(),
        site: site.unwrap_or_else(|| "authql".to_owned()),
        frontend_url: config.http.frontend_url().to_owned(),
    };
    let templates = Templates::load(&stationery)?;
    if let Some(url) = smtp_url {
        if templates.chosen_sender().is_none() {
            return Err(StartError::NoSender);
        }
        return Ok((Arc::new(SmtpMailer::new(url.expose_secret(), templates)?), None));
    }
    let folder = data.get()?.private_folder("mail")?;
    let files = Arc::new(FileMailbox::new(folder, templates, stationery));
    Ok((files.clone(), Some(files)))
}

/// What Redis speeds up, or shares between instances.
pub(super) struct Accelerators {
    pub(super) revocations: Arc<dyn Revocations>,
    pub(super) queue: Arc<dyn MailQueue>,
    pub(super) limiter: Arc<dyn RateLimiter>,
}

/// Redis, or its twins in this process.
pub(super) fn accelerators(
    stores: &StoresConfig,
    clock: &Arc<dyn Clock>,
) -> Result<Accelerators, StartError> {
    let limiter = LocalRateLimiter::new(clock.clone());
    let Some(url) = &stores.redis_url else {
        return Ok(Accelerators {
            revocations: Arc::new(LocalRevocations::default()),
            queue: Arc::new(LocalMailQueue::default()),
            limiter: Arc::new(limiter),
        });
    };
    let redis = Redis::new(url.expose_secret())?;
    Ok(Accelerators {
        revocations: Arc::new(RedisRevocations(redis.clone())),
        queue: Arc::new(RedisMailQueue::new(redis.clone())),
        limiter: Arc::new(RedisRateLimiter::new(redis, limiter)),
    })
}
