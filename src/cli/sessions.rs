//! `authql sessions`: what an operator can do about sessions.

use std::sync::Arc;

use authql::adapters::clock::SystemClock;
use authql::app;
use authql::config::Config;
use clap::Subcommand;

use super::Outcome;

#[derive(Subcommand)]
pub(super) enum Command {
    /// End every session of every account, and replace the signing keys
    ///
    /// For a database that was brought back from a backup, which has sessions in it that have ended since, and none of those
    /// that have begun: run it before the server starts. And for tokens that somebody has stolen, nobody knows how many. All
    /// tokens of before are refused within a second, and everybody has to log in again.
    EndAll,
}

pub(super) async fn run(config: &Config, command: Command) -> Outcome {
    let desk = app::sessions(config, Arc::new(SystemClock::new())).await?;
    match command {
        Command::EndAll => {
            let taken = desk.end_all().await.map_err(app::StartError::from)?;
            say!(
                "Everybody has to log in again: {} sessions were ended, and {} signing keys replaced.",
                taken.sessions,
                taken.keys
            );
        }
    }
    Ok(())
}
