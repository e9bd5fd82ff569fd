//! Why there is no private PostgreSQL, as sentences for the operator.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no private PostgreSQL, as a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No server binaries.
    #[error(
        "no PostgreSQL server (14 or newer) is installed here: install it with `{0}`, or set DATABASE_URL to a running one"
    )]
    NotInstalled(&'static str),
    /// The cluster belongs to another major version.
    #[error(
        "{folder} was made by PostgreSQL {major}, which is no longer installed: install that version, or set AUTHQL_DATA_DIR to a new folder"
    )]
    OtherVersion {
        /// The cluster.
        folder: PathBuf,
        /// Its major version.
        major: u32,
    },
    /// Running as root, and the user that the server runs as cannot enter the folder.
    #[error(
        "PostgreSQL does not run as root, and the user {user} cannot enter {folder}: set AUTHQL_DATA_DIR to a folder such as /var/lib/authql, or run authql as another user"
    )]
    Unreachable {
        /// Whom the server would run as.
        user: String,
        /// The first folder that is closed to it.
        folder: PathBuf,
    },
    /// Running as root, with no user to run the server as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody: run authql as another user"
    )]
    NoUser,
    /// A file operation failed.
    #[error("{what} {path}: {source}")]
    Files {
        /// What was to be done, such as `cannot create`.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// `initdb` failed.
    #[error("PostgreSQL could not make its files: {0}")]
    Initdb(String),
    /// The server did not come up.
    #[error("PostgreSQL did not start; the end of {log} says why: {last}")]
    NotStarted {
        /// Its log.
        log: PathBuf,
        /// The last line of it.
        last: String,
    },
}

/// Names the file that an operation failed on.
pub(super) fn files(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::Files { what, path, source }
}
