//! Where this machine keeps its PostgreSQL server.

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::EmbeddedError;

/// The oldest major version that authql runs on.
const OLDEST: u32 = 14;

/// The programs of one installed PostgreSQL.
pub(super) struct Binaries {
    pub(super) major: u32,
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
}

impl Binaries {
    /// The installation that made the cluster in `files`; the newest one where there is no cluster yet.
    pub(super) fn find(files: &Path) -> Result<Self, EmbeddedError> {
        let installed: Vec<Self> =
            folders().into_iter().filter_map(|folder| Self::inspect(&folder)).collect();
        let made_by =
            fs::read_to_string(files.join("PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
        if let Some(major) = made_by {
            let same = installed.into_iter().find(|binaries| binaries.major == major);
            return same.ok_or_else(|| EmbeddedError::OtherVersion { folder: files.to_owned(), major });
        }
        let newest = installed.into_iter().max_by_key(|binaries| binaries.major);
        newest.ok_or(EmbeddedError::NotInstalled(install_command()))
    }

    fn inspect(folder: &Path) -> Option<Self> {
        let (initdb, postgres) = (folder.join("initdb"), folder.join("postgres"));
        if !initdb.is_file() || !postgres.is_file() {
            return None;
        }
        // Such as `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
        let output = std::process::Command::new(&postgres).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let number = text.split_whitespace().nth(2)?.split(|c: char| !c.is_ascii_digit()).next()?;
        let major = number.parse().ok()?;
        (major >= OLDEST).then_some(Self { major, initdb, postgres })
    }
}

/// The folders of `PATH`, and those of Debian, Homebrew and Postgres.app that are not on it.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    for (parent, inside) in [
        ("/usr/lib/postgresql", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
    ] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path().join(inside)));
    }
    folders
}

fn install_command() -> &'static str {
    if cfg!(target_os = "macos") {
        "brew install postgresql@17"
    } else if Path::new("/etc/debian_version").exists() {
        "sudo apt-get install postgresql"
    } else {
        "your package manager, package postgresql-server"
    }
}
