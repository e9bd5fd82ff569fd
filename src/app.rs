//! The composition root: adapters → services → schema → router; run, and shut down.

mod compose;
mod desks;
mod error;
mod passwords;
mod servers;
mod tireless;

use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use self::error::StartError;

use self::compose::Composition;
use self::tireless::keep_doing;
use crate::adapters::embedded::PrivatePostgres;
use crate::adapters::local::DataFolder;
use crate::adapters::postgres::Database;
use crate::config::{Config, HttpConfig};
use crate::domain::TrustedProxies;
use crate::ports::Clock;
use crate::services::{
    EventHistory, Failures, Housekeeping, MailDesk, Mailing, Mirror, PasswordChoice, Refusals, SessionDesk,
    Sightings, Signing, UserDesk,
};
use crate::worker::WorkerSettings;
use crate::{http, worker};

/// How long requests in flight are waited for at the end. With the worker's ten seconds and the database's stop it stays
/// under the thirty that supervisors give.
const DRAIN: Duration = Duration::from_secs(10);
/// How many ports after the usual one are tried.
const PORTS_TRIED: u16 = 50;
/// The longest wait between two looks through the outbox.
const LONGEST_SWEEP: Duration = Duration::from_secs(5);

/// A complete authql, ready to serve.
pub struct App {
    router: http::Router,
    trusted_proxies: TrustedProxies,
    mailing: Arc<Mailing>,
    mirror: Arc<Mirror>,
    sightings: Arc<Sightings>,
    refusals: Arc<Refusals>,
    failures: Arc<Failures>,
    signing: Arc<Signing>,
    housekeeping: Housekeeping,
    worker: WorkerSettings,
    database: Database,
    embedded: Option<PrivatePostgres>,
    /// Kept for its lock.
    _data: Option<DataFolder>,
}

impl App {
    /// Connects to the servers that the configuration names, or starts their stand-ins, brings the schema of the database
    /// up to date, and puts everything together.
    ///
    /// # Errors
    /// [`StartError`], a sentence for the operator.
    pub async fn build(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let worker = WorkerSettings {
            concurrency: config.mail.concurrency,
            rate: config.mail.rate,
            sweep: config.mail.retry.first_wait.to_std().unwrap_or(LONGEST_SWEEP).min(LONGEST_SWEEP),
        };
        let Composition {
            router,
            trusted_proxies,
            mailing,
            mirror,
            sightings,
            refusals,
            failures,
            signing,
            housekeeping,
            database,
            embedded,
            data,
        } = compose::compose(config, clock).await?;
        Ok(Self {
            router,
            trusted_proxies,
            mailing,
            mirror,
            sightings,
            refusals,
            failures,
            signing,
            housekeeping,
            worker,
            database,
            embedded,
            _data: data,
        })
    }

    /// The major version of the private PostgreSQL, where there is one.
    #[must_use]
    pub fn private_postgres(&self) -> Option<u32> {
        self.embedded.as_ref().map(PrivatePostgres::version)
    }

    /// Serves on `listener` until `shutdown`, then finishes what is in flight: requests first, mails next, the database
    /// last.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send + 'static) {
        let stop = CancellationToken::new();
        let (mailing, settings, stopping) = (self.mailing, self.worker, stop.clone());
        let work = move || worker::run(Arc::clone(&mailing), settings, stopping.clone());
        let worker = tokio::spawn(keep_doing("the mail worker", work));
        let (mirror, sightings, signing) = (self.mirror, Arc::clone(&self.sightings), self.signing);
        let (housekeeping, refusals) = (self.housekeeping, Arc::clone(&self.refusals));
        let failures = Arc::clone(&self.failures);
        let followers = tokio::spawn(async move {
            tokio::join!(
                keep_doing("the mirror of revocations", || mirror.follow()),
                keep_doing("the writing of sightings", || sightings.keep_writing()),
                keep_doing("the writing of refusals", || refusals.keep_writing()),
                keep_doing("the counting of failures", || failures.keep_counting()),
                keep_doing("the keeping of signing keys", || signing.keep_up()),
                keep_doing("the housekeeping", || housekeeping.keep())
            );
        });
        let draining = stop.clone();
        let signal = tokio::spawn(async move {
            shutdown.await;
            draining.cancel();
        });
        let server = http::serve(listener, self.router, self.trusted_proxies, stop.clone().cancelled_owned());
        tokio::select! {
            () = server => {}
            () = drain_is_over(&stop) => {
                tracing::warn!("some requests were still in flight and are cut off");
            }
        }
        signal.abort();
        stop.cancel();
        if let Err(error) = worker.await {
            tracing::error!(error = &error as &dyn std::error::Error, "the mail worker died");
        }
        followers.abort();
        self.sightings.finish().await;
        self.refusals.finish().await;
        self.failures.finish();
        close(&self.database).await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

/// A listener on the configured address. When the operator named no port, and the usual one is taken, on the next free one.
///
/// # Errors
/// [`StartError::Listen`] when there is none.
pub async fn listen(config: &HttpConfig) -> Result<TcpListener, StartError> {
    let mut address = config.listen;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error)
                if error.kind() == ErrorKind::AddrInUse
                    && !config.is_port_fixed
                    && address.port() < config.listen.port() + PORTS_TRIED =>
            {
                address.set_port(address.port() + 1);
            }
            Err(source) => return Err(StartError::Listen { address, source }),
        }
    }
}

/// Brings the database of `DATABASE_URL` up to date.
///
/// # Errors
/// See [`StartError`].
pub async fn migrate(config: &Config) -> Result<(), StartError> {
    servers::migrate(config).await
}

/// The signing keys in the database of `DATABASE_URL`, which is brought up to date, for an operator to look at and to change.
///
/// # Errors
/// See [`StartError`].
pub async fn keys(config: &Config, clock: Arc<dyn Clock>) -> Result<Signing, StartError> {
    compose::keys(config, clock).await
}

/// The accounts in the database of `DATABASE_URL`, which is brought up to date, for an operator to look after.
///
/// # Errors
/// See [`StartError`].
pub async fn users(config: &Config, clock: Arc<dyn Clock>) -> Result<UserDesk, StartError> {
    desks::users(config, clock).await
}

/// What passwords in that database may be like, for an operator who chooses one.
///
/// # Errors
/// See [`StartError`]: also where the peppers or the list of breached passwords are not those of the server.
pub async fn password_choice(config: &Config) -> Result<PasswordChoice, StartError> {
    desks::password_choice(config).await
}

/// The sessions in the database of `DATABASE_URL`, which is brought up to date, for an operator to look after.
///
/// # Errors
/// See [`StartError`].
pub async fn sessions(config: &Config, clock: Arc<dyn Clock>) -> Result<SessionDesk, StartError> {
    desks::sessions(config, clock).await
}

/// The mails in the database of `DATABASE_URL`, which is brought up to date, for an operator to look after.
///
/// # Errors
/// See [`StartError`].
pub async fn mails(config: &Config, clock: Arc<dyn Clock>) -> Result<MailDesk, StartError> {
    desks::mails(config, clock).await
}

/// The security events in the database of `DATABASE_URL`, which is brought up to date, for an operator to look into.
///
/// # Errors
/// See [`StartError`].
pub async fn events(config: &Config) -> Result<EventHistory, StartError> {
    desks::events(config).await
}

async fn drain_is_over(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

async fn close(database: &Database) {
    // A connection that hangs must not keep the process.
    drop(timeout(Duration::from_secs(2), database.close()).await);
}
