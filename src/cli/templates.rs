//! `authql templates`: where an operator begins who wants mails in their own words, and how they make sure of them.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use authql::adapters::templates::{self, Stationery, Templates};
use authql::app::StartError;
use clap::Subcommand;

use super::Outcome;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Copy built-in templates into a folder, to be changed there
    ///
    /// Copy only those that you want to change, such as `brand.toml en/welcome.jinja`: the others stay up to date with authql.
    /// A file that is there already is left as it is. docs/mail.md says what is what.
    Export {
        /// The folder for `AUTHQL_MAIL_TEMPLATES`. It is made if need be.
        folder: PathBuf,
        /// Which files [default: all]
        files: Vec<String>,
    },
    /// Check a folder of templates as a start would, by writing every mail in each language
    Check {
        /// The folder for `AUTHQL_MAIL_TEMPLATES`.
        folder: PathBuf,
    },
}

pub(super) fn run(command: Command) -> Outcome {
    match command {
        Command::Export { folder, files } => export(&folder, &files),
        Command::Check { folder } => {
            let stationery = Stationery {
                folder: Some(folder),
                sender: None,
                site: "localhost".to_owned(),
                frontend_url: "https://localhost".to_owned(),
            };
            Templates::load(&stationery).map_err(StartError::from)?;
            say!("All mails can be written with it.");
            Ok(())
        }
    }
}

fn export(folder: &Path, wanted: &[String]) -> Outcome {
    if let Some(unknown) = wanted.iter().find(|name| templates::FILES.iter().all(|(known, _)| known != name))
    {
        let known: Vec<&str> = templates::FILES.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no template {unknown:?}: there are {}", known.join(", ")).into());
    }
    for (name, text) in templates::FILES {
        if !wanted.is_empty() && wanted.iter().all(|other| other != name) {
            continue;
        }
        let path = folder.join(name);
        let is_written = write_new(&path, text)
            .map_err(|error| format!("{} cannot be written ({error}): check its folder", path.display()))?;
        say!(
            "{}{}",
            path.display(),
            if is_written { "" } else { "  (was there already, and stays as it is)" }
        );
    }
    Ok(())
}

/// `false` when there is such a file already.
fn write_new(path: &Path, text: &str) -> std::io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
