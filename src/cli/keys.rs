//! `authql keys`: what an operator can do about signing keys.

use std::sync::Arc;

use authql::adapters::clock::SystemClock;
use authql::app;
use authql::config::Config;
use authql::domain::KeyId;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;

use super::Outcome;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List all keys with their states
    ///
    /// `next` is published and does not sign yet, `active` signs, `retiring` verifies until its last token has expired,
    /// and `gone` does nothing any more.
    List,
    /// Let the next key begin now
    ///
    /// In five seconds, or, where it was published only just now, as soon as no verifier has an older copy of the key set.
    /// No token is refused, and nobody is logged out.
    Rotate,
    /// Take a key away at once, because somebody else may have it
    ///
    /// Its tokens are refused within a second. Clients get new ones with their refresh tokens, and sessions live on. If it
    /// was the active key, the next one begins at once.
    Retire {
        /// The `kid`, as `authql keys list` prints it.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

pub(super) async fn run(config: &Config, command: Command) -> Outcome {
    let signing = app::keys(config, Arc::new(SystemClock::new())).await?;
    match command {
        Command::List => {
            say!("{:<43}  {:<8}  {:<20}  VERIFIES UNTIL", "KID", "STATE", "SIGNS FROM");
            for (key, state) in signing.list().await? {
                let until = key.gone_at.map_or_else(|| "not known yet".to_owned(), time);
                say!(
                    "{:<43}  {:<8}  {:<20}  {until}",
                    key.id.as_str(),
                    state.as_str(),
                    time(key.activates_at)
                );
            }
        }
        Command::Rotate => {
            let (id, at) = signing.rotate().await.map_err(app::StartError::from)?;
            say!("The key {id} signs from {}.", time(at));
        }
        Command::Retire { kid } => {
            let is_retired = match KeyId::parse(&kid) {
                Some(id) => signing.retire(&id).await?,
                None => false,
            };
            if !is_retired {
                return Err(format!("there is no key {kid:?}: `authql keys list` shows all").into());
            }
            say!("The key {kid} is gone: its tokens are refused within a second.");
        }
    }
    Ok(())
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
