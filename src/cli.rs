//! The command line: what each command does, and what it prints.

/// Prints a line, and returns where that fails.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        writeln!(std::io::stdout(), $($text)*)?;
    }};
}

mod banner;
mod events;
mod keys;
mod mail;
mod sessions;
mod templates;
mod users;

use std::error::Error;
use std::io::{self, Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use authql::adapters::clock::SystemClock;
use authql::app::{App, StartError};
use authql::config::{Config, Environment};
use authql::{app, graphql, telemetry};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// How long a complaint waits for somebody who reads it, and the end for what hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// A self-hosted authentication server with a GraphQL API.
///
/// Settings come from the environment and from a file `.env`; README.md has the table. With nothing set,
/// `authql serve` starts a complete server on this machine, with a private PostgreSQL in `./data`.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server [default]
    ///
    /// Brings the database up to date first. Stops on Ctrl-C and SIGTERM within 30 seconds: requests in flight are
    /// answered, and mails on their way are sent or handed back.
    Serve,
    /// Bring the database of `DATABASE_URL` up to date, and stop
    ///
    /// For deployments where the server itself may not create tables. Safe to run at any time and by several at once.
    Migrate,
    /// Look at the keys that access tokens are signed with, and change them
    ///
    /// Needs `DATABASE_URL` and `AUTHQL_SECRET`, the same as the server's. Running instances follow within a second.
    #[command(subcommand)]
    Keys(keys::Command),
    /// See what became of mails, and try them again or drop them
    ///
    /// Needs `DATABASE_URL`, `AUTHQL_SECRET` and `AUTHQL_PUBLIC_URL`, the same as the server's.
    #[command(subcommand)]
    Mail(mail::Command),
    /// Begin mail templates of your own, and check them
    ///
    /// Needs no settings. The folder is what `AUTHQL_MAIL_TEMPLATES` then names.
    #[command(subcommand)]
    Templates(templates::Command),
    /// Look after accounts: import, export, create, disable, enable, delete
    ///
    /// Needs `DATABASE_URL`, `AUTHQL_SECRET` and `AUTHQL_PUBLIC_URL`, the same as the server's.
    #[command(subcommand)]
    Users(users::Command),
    /// End all sessions at once
    ///
    /// Needs `DATABASE_URL`, `AUTHQL_SECRET` and `AUTHQL_PUBLIC_URL`, the same as the server's.
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Look into what happened to accounts, sessions and signing keys
    ///
    /// Newest first, one line each. What happened several times in a row, by the same session, on the same device and from the
    /// same address, is one line for a day: TIMES says how often, and TIME when it was the last time.
    ///
    /// Needs `DATABASE_URL`, the same as the server's.
    Events(events::Arguments),
    /// Print the GraphQL schema
    ///
    /// In the schema definition language, sorted, with descriptions: for code generation. It is the same as the checked-in
    /// schema.graphql, and needs no settings.
    Schema,
}

/// Runs the command that was asked for. Exit codes: 0 done, 1 failed, 2 wrong usage or settings.
pub(crate) fn run() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    let result = match command {
        Command::Schema => stdout().write_all(graphql::sdl().as_bytes()).map_err(Into::into),
        Command::Serve => in_runtime(serve),
        Command::Migrate => in_runtime(migrate),
        Command::Keys(command) => in_runtime(async |config| keys::run(&config, command).await),
        Command::Mail(command) => in_runtime(async |config| mail::run(&config, command).await),
        Command::Templates(command) => templates::run(command),
        Command::Users(command) => in_runtime(async |config| users::run(&config, command).await),
        Command::Sessions(command) => in_runtime(async |config| sessions::run(&config, command).await),
        Command::Events(arguments) => in_runtime(async |config| events::run(&config, arguments).await),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has enough, as `head` has.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            // It is over when it is printed, or cannot be.
            let _ = print_aside(stderr(), format!("authql: {error}\n")).recv_timeout(PATIENCE);
            let is_setting = error.downcast_ref().is_some_and(StartError::is_about_settings);
            ExitCode::from(if is_setting { 2 } else { 1 })
        }
    }
}

type Outcome = Result<(), Box<dyn Error>>;

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
    let json = error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    io.or(json) == Some(io::ErrorKind::BrokenPipe)
}

/// Reads the settings, and does what needs them. What was logged is written when it is over.
fn in_runtime(work: impl AsyncFnOnce(Config) -> Outcome) -> Outcome {
    let config = configure()?;
    let _log = telemetry::start(&config.log, stderr())?;
    // The first to install a provider wins, and nobody was before us.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(work(config));
    // A file that is read from a disk that hangs keeps nobody.
    runtime.shutdown_timeout(PATIENCE);
    outcome
}

fn configure() -> Result<Config, StartError> {
    Ok(Config::from_environment(&Environment::of_process()?)?)
}

/// Prints on a thread of its own: where nobody reads, or the disk is full, nothing else is held up or fails. What is
/// returned ends with the thread.
fn print_aside(mut to: impl Write + Send + 'static, text: String) -> Receiver<()> {
    let (printing, printed) = channel();
    let print = move || {
        drop(to.write_all(text.as_bytes()));
        drop(to.flush());
        drop(printing);
    };
    drop(thread::Builder::new().spawn(print));
    printed
}

async fn serve(mut config: Config) -> Outcome {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let listener = app::listen(&config.http).await?;
    config.http.listens_on(listener.local_addr()?);
    let facts = banner::Facts::of(&config, listener.local_addr()?);
    let mut stop = Box::pin(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });
    let app = tokio::select! {
        app = App::build(config, Arc::new(SystemClock::new())) => app?,
        () = &mut stop => return Ok(()),
    };
    drop(print_aside(stdout(), banner::text(&facts, app.private_postgres())));
    app.run(listener, async move {
        stop.await;
        tracing::info!("stopping");
    })
    .await;
    Ok(())
}

async fn migrate(config: Config) -> Outcome {
    app::migrate(&config).await?;
    say!("The database is up to date.");
    Ok(())
}
