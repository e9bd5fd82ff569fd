//! PostgreSQL: the truth about accounts, sessions and owed mail.

mod outbox;
mod sessions;
mod users;

use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use tracing::log::LevelFilter;

pub use outbox::PgOutbox;
pub use sessions::PgSessions;
pub use users::PgUsers;

use crate::ports::{Readiness, Unexpected};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections in the pool. Many, because Postgres writes the commits of parallel clients to disk together.
const POOL_SIZE: u32 = 16;
/// How long a request waits for a connection before it is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// A pool on the database that `options` name. Connects when it is first used.
#[must_use]
pub fn pool(options: PgConnectOptions) -> PgPool {
    let options = options
        .application_name("authql")
        .options([("statement_timeout", "5s"), ("idle_in_transaction_session_timeout", "10s")])
        .log_statements(LevelFilter::Trace)
        .log_slow_statements(LevelFilter::Warn, Duration::from_secs(1));
    PgPoolOptions::new()
        .max_connections(POOL_SIZE)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options)
}

/// Brings the schema up to date. Instances that start together wait for each other (an advisory lock).
///
/// # Errors
/// When the database does not answer, or a migration fails or is unknown here.
pub async fn migrate(options: &PgConnectOptions) -> Result<(), MigrateError> {
    // A connection of its own: waiting for another instance, and the work itself, may outlast the limits of the pool.
    let mut connection = options.clone().application_name("authql migrate").connect().await?;
    MIGRATIONS.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Postgres as what authql cannot work without.
pub struct PgReadiness(pub PgPool);

#[async_trait]
impl Readiness for PgReadiness {
    async fn check(&self) -> Result<(), Unexpected> {
        let answer = sqlx::query("SELECT 1").execute(&self.0);
        match tokio::time::timeout(ACQUIRE_TIMEOUT, answer).await {
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
        // 08 connection, 25006 read-only, 40 serialization and deadlock, 53 resources, 55P03 lock, 57 shutdown or
        // cancelled: https://www.postgresql.org/docs/current/errcodes-appendix.html
        sqlx::Error::Database(refusal) => refusal.code().is_some_and(|code| {
            ["08", "25006", "40", "53", "55P03", "57"].iter().any(|class| code.starts_with(class))
        }),
        _ => false,
    };
    if passing {
        Unexpected::unavailable("Postgres", error)
    } else {
        Unexpected::fault("a statement failed", error)
    }
}

/// A row that breaks a rule of ours: written by another version, or by hand.
fn corrupt(what: &'static str) -> Unexpected {
    Unexpected::fault("a row cannot be read", what)
}
