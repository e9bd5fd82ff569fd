//! `authql users`: what an operator can do about accounts.

mod export;
mod import;
mod record;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use authql::adapters::clock::SystemClock;
use authql::app;
use authql::config::Config;
use authql::domain::{EmailAddress, Locale, Password, PersonName};
use authql::services::{CreateUserError, NewAccount, UserDeskError};
use clap::{Args, Subcommand};

use super::Outcome;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add the accounts of a file, one JSON object a line
    ///
    /// {"email": "ada@example.com", "passwordHash": "$2b$12$…", "name": "Ada", "locale": "en", "emailVerified": true}
    ///
    /// Only `email` is needed. Hashes may be of bcrypt, scrypt, PBKDF2 and argon2; each is replaced by argon2id when its owner
    /// first logs in. Without one, the owner sets a password by "forgotten password". Also taken are `createdAt`, `disabled`
    /// and `id` (a UUID, which becomes the `sub` of tokens); docs/operating.md has the details.
    ///
    /// An account that is there already is left as it is, so an import that was broken off is simply repeated. Lines that are
    /// no accounts are left out, and written to FILE.refused.jsonl with the reason; then the exit code is 1. Nobody is mailed.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Print all accounts, as `import` reads them
    Export {
        /// With `passwordHash`: whoever has the output can try passwords on it.
        #[arg(long)]
        with_hashes: bool,
    },
    /// Create an account
    ///
    /// Asks for the password on a terminal, and reads it from standard input otherwise. It must be as good as its owner would
    /// have to choose it. Nobody is mailed.
    Create(NewUser),
    /// Shut an account: no login, no refresh, no access
    ///
    /// Its sessions end at once on running instances if `REDIS_URL` is set, and within a second otherwise.
    Disable {
        #[command(flatten)]
        account: Account,
    },
    /// Open an account that was shut
    ///
    /// Its sessions stay ended.
    Enable {
        #[command(flatten)]
        account: Account,
    },
    /// Delete an account, with everything personal that is kept of it
    ///
    /// There is no way back. Its sessions end as by `disable`. Its owner is not told; a mail that waits for them is dropped.
    Delete {
        #[command(flatten)]
        account: Account,
    },
}

#[derive(Args)]
pub(super) struct Account {
    /// The address that the account is signed in to with, in any spelling.
    #[arg(value_parser = EmailAddress::parse)]
    email: EmailAddress,
}

#[derive(Args)]
pub(super) struct NewUser {
    /// The address to sign in with.
    #[arg(value_parser = EmailAddress::parse)]
    email: EmailAddress,
    /// How the person wants to be called.
    #[arg(long, value_parser = name)]
    name: Option<PersonName>,
    /// The language of mails, such as `en` or `ru`.
    #[arg(long, value_parser = Locale::parse, default_value = "en")]
    locale: Locale,
    /// The address is known to be theirs: it counts as confirmed.
    #[arg(long)]
    verified: bool,
}

pub(super) async fn run(config: &Config, command: Command) -> Outcome {
    let desk = app::users(config, Arc::new(SystemClock::new())).await?;
    match command {
        Command::Import { file } => import::run(&desk, &file).await?,
        Command::Export { with_hashes } => export::run(&desk, with_hashes).await?,
        Command::Create(NewUser { email, name, locale, verified }) => {
            // Nobody is asked for what could not be hashed.
            let choice = app::password_choice(config).await?;
            let password = Password::parse(&ask_for_password()?)?;
            let written = email.as_str().to_owned();
            match desk.create(NewAccount { email, password, name, locale }, verified, &choice).await {
                Err(CreateUserError::Unexpected(error)) => return Err(error.into()),
                created => created.map_err(|error| format!("{written}: {error}"))?,
            }
            say!("{written} has an account.");
        }
        Command::Disable { account } => {
            let ended = desk.disable(&account.email).await.map_err(|error| account.explain(error))?;
            say!("The account of {} is shut, and {}.", account.email.as_str(), sessions(ended));
        }
        Command::Enable { account } => {
            desk.enable(&account.email).await.map_err(|error| account.explain(error))?;
            say!("The account of {} is open.", account.email.as_str());
        }
        Command::Delete { account } => {
            let ended = desk.delete(&account.email).await.map_err(|error| account.explain(error))?;
            say!("The account of {} is deleted, and {}.", account.email.as_str(), sessions(ended));
        }
    }
    Ok(())
}

impl Account {
    fn explain(&self, error: UserDeskError) -> Box<dyn std::error::Error> {
        match error {
            UserDeskError::NotFound => format!("{}: {error}", self.email.as_str()).into(),
            UserDeskError::Unexpected(error) => error.into(),
        }
    }
}

fn name(text: &str) -> Result<PersonName, String> {
    PersonName::parse(text).map_err(|error| error.to_string())?.ok_or_else(|| "this is no name".to_owned())
}

fn sessions(ended: usize) -> String {
    match ended {
        0 => "had no session".to_owned(),
        1 => "its session was ended".to_owned(),
        _ => format!("its {ended} sessions were ended"),
    }
}

/// The password: typed twice and not shown, or the first line of standard input.
fn ask_for_password() -> Result<String, Box<dyn std::error::Error>> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Again: ")? != password {
        return Err("the two passwords differ: nothing was done".into());
    }
    Ok(password)
}
