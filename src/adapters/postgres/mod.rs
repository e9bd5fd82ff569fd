//! PostgreSQL: the truth about accounts, sessions and owed mail.

mod account_changes;
mod again;
mod archive;
mod events;
mod known_networks;
mod mail_ledger;
mod mail_tokens;
mod mailing;
mod outbox;
mod password_failures;
mod recovery;
mod session_directory;
mod session_endings;
mod session_ends;
mod session_starts;
mod sessions;
mod signing_keys;
mod user_directory;
mod users;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::time::timeout;
use tracing::log::LevelFilter;

pub use account_changes::PgAccountChanges;
pub use archive::PgArchive;
pub use events::PgSecurityEvents;
pub use known_networks::PgKnownNetworks;
pub use mail_ledger::PgMailLedger;
pub use outbox::PgOutbox;
pub use password_failures::PgPasswordFailures;
pub use recovery::PgRecovery;
pub use session_directory::PgSessionDirectory;
pub use session_endings::PgSessionEndings;
pub use sessions::PgSessions;
pub use signing_keys::PgSigningKeys;
pub use user_directory::PgUserDirectory;
pub use users::PgUsers;

use crate::ports::{Readiness, Unexpected};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections in the pool. Many, because Postgres writes the commits of parallel clients to disk together.
const POOL_SIZE: u32 = 16;
/// How long a request waits for a connection before it is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a start waits for the database to speak.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A database, and the pool of connections to it.
#[derive(Clone)]
pub struct Database {
    options: PgConnectOptions,
    pool: PgPool,
}

/// Why a database cannot be used, as a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL is not understood.
    #[error("DATABASE_URL is not understood ({0}): write postgres://user:password@host/database")]
    Url(#[source] sqlx::Error),
    /// It takes connections and says nothing.
    #[error(
        "the database does not answer: check DATABASE_URL, and that the server there is PostgreSQL and not overloaded"
    )]
    Silent,
    /// It does not answer, or its schema could not be brought up to date.
    #[error(
        "the database cannot be used ({0}): check DATABASE_URL, that the server runs, and that the user may create tables"
    )]
    Migration(#[from] MigrateError),
}

impl Database {
    /// The database at `url`. Connects when it is first used.
    ///
    /// # Errors
    /// [`DatabaseError::Url`].
    pub fn at(url: &str) -> Result<Self, DatabaseError> {
        url.parse().map(Self::with).map_err(DatabaseError::Url)
    }

    /// The database of a server on this machine, over its Unix socket.
    #[must_use]
    pub fn on_socket(folder: &Path, port: u16, user: &str, database: &str) -> Self {
        let options = PgConnectOptions::new_without_pgpass();
        Self::with(options.socket(folder).port(port).username(user).database(database))
    }

    fn with(options: PgConnectOptions) -> Self {
        let options = options
            .application_name("authql")
            .log_statements(LevelFilter::Trace)
            .log_slow_statements(LevelFilter::Warn, Duration::from_secs(1));
        let limits = [("statement_timeout", "5s"), ("idle_in_transaction_session_timeout", "10s")];
        let pool = PgPoolOptions::new()
            .max_connections(POOL_SIZE)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // It would be a warning for each request that waits: what fails by it has its line.
            .acquire_slow_level(LevelFilter::Debug)
            .connect_lazy_with(options.clone().options(limits));
        Self { options, pool }
    }

    /// Brings the schema up to date. Instances that start together wait for each other (an advisory lock).
    ///
    /// # Errors
    /// [`DatabaseError::Migration`] when the database does not answer, or a migration fails or is unknown here.
    pub async fn migrate(&self) -> Result<(), DatabaseError> {
        // A connection without the limits of the pool: waiting for another instance, and the work itself, may take long.
        let connecting = timeout(CONNECT_TIMEOUT, self.options.connect());
        let mut connection =
            connecting.await.map_err(|_| DatabaseError::Silent)?.map_err(MigrateError::from)?;
        // Also where there is nothing to do, the library wants to create its table, which a server's role may not be
        // allowed to do (docs/security.md KEY-4). And one that is newer than this program is no hindrance to it.
        if !is_up_to_date(&mut connection).await {
            MIGRATIONS.run(&mut connection).await?;
        }
        connection.close().await.map_err(MigrateError::from)?;
        Ok(())
    }

    /// The accounts in it.
    #[must_use]
    pub fn users(&self) -> PgUsers {
        PgUsers(self.pool.clone())
    }

    /// The same, as an operator sees them.
    #[must_use]
    pub fn user_directory(&self) -> PgUserDirectory {
        PgUserDirectory(self.pool.clone())
    }

    /// What their owners change about them.
    #[must_use]
    pub fn account_changes(&self) -> PgAccountChanges {
        PgAccountChanges(self.pool.clone())
    }

    /// How often their passwords were wrong.
    #[must_use]
    pub fn password_failures(&self) -> PgPasswordFailures {
        PgPasswordFailures(self.pool.clone())
    }

    /// The networks that they were used from.
    #[must_use]
    pub fn known_networks(&self) -> PgKnownNetworks {
        PgKnownNetworks(self.pool.clone())
    }

    /// The ways back into them.
    #[must_use]
    pub fn recovery(&self) -> PgRecovery {
        PgRecovery(self.pool.clone())
    }

    /// The sessions in it.
    #[must_use]
    pub fn sessions(&self) -> PgSessions {
        PgSessions(self.pool.clone())
    }

    /// The same, where all of an account end.
    #[must_use]
    pub fn session_endings(&self) -> PgSessionEndings {
        PgSessionEndings(self.pool.clone())
    }

    /// The same, as their owners see them.
    #[must_use]
    pub fn session_directory(&self) -> PgSessionDirectory {
        PgSessionDirectory(self.pool.clone())
    }

    /// What happened to them that somebody may have to look into.
    #[must_use]
    pub fn security_events(&self) -> PgSecurityEvents {
        PgSecurityEvents(self.pool.clone())
    }

    /// The signing keys in it.
    #[must_use]
    pub fn signing_keys(&self) -> PgSigningKeys {
        PgSigningKeys(self.pool.clone())
    }

    /// The mails in it that are owed.
    #[must_use]
    pub fn outbox(&self) -> PgOutbox {
        PgOutbox(self.pool.clone())
    }

    /// The mails in it, as an operator sees them.
    #[must_use]
    pub fn mail_ledger(&self) -> PgMailLedger {
        PgMailLedger(self.pool.clone())
    }

    /// What in it grows old.
    #[must_use]
    pub fn archive(&self) -> PgArchive {
        PgArchive(self.pool.clone())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Whether every migration of this program has been applied as it is here.
async fn is_up_to_date(connection: &mut PgConnection) -> bool {
    let applied: Result<Vec<(i64, Vec<u8>)>, _> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success")
            .fetch_all(connection)
            .await;
    // A failure is that of a database without the table: the migrator will say if it is anything else.
    let applied = applied.unwrap_or_default();
    MIGRATIONS.iter().all(|ours| {
        applied.iter().any(|(version, checksum)| *version == ours.version && **checksum == *ours.checksum)
    })
}

/// The database as what authql cannot work without.
#[async_trait]
impl Readiness for Database {
    async fn check(&self) -> Result<(), Unexpected> {
        let answer = sqlx::query("SELECT 1").execute(&self.pool);
        match timeout(ACQUIRE_TIMEOUT, answer).await {
            Ok(result) => result.map(drop).map_err(unexpected),
            Err(elapsed) => Err(Unexpected::unavailable("Postgres", elapsed)),
        }
    }
}

/// What a failed statement means to the application.
fn unexpected(error: sqlx::Error) -> Unexpected {
    let passing = match &error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // 08 connection, 25006 read-only, 28 and 3D the server no longer lets us in, 40 serialization and deadlock,
        // 53 resources, 55 not in that state, 57 shutdown or cancelled, 58 the disk:
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        sqlx::Error::Database(refusal) => refusal.code().is_some_and(|code| {
            ["08", "25006", "28", "3D", "40", "53", "55", "57", "58"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    };
    if passing {
        Unexpected::unavailable("Postgres", error)
    } else {
        Unexpected::fault("a statement failed", error)
    }
}

/// Whether a statement was refused for breaking the constraint of this name.
fn breaks(error: &sqlx::Error, constraint: &str) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) == Some(constraint)
}

/// A row that breaks a rule of ours: written by another version, or by hand.
fn corrupt(what: &'static str) -> Unexpected {
    Unexpected::fault("a row cannot be read", what)
}
