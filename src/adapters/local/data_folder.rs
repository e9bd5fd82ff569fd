//! The data folder of the zero-configuration mode: one authql at a time, and what it generates for itself.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

/// An open data folder. Nobody else can open it until this is dropped.
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Why a data folder cannot be used, as a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another authql runs on it.
    #[error("another authql is using {0}: stop it, or set AUTHQL_DATA_DIR to a folder of its own")]
    InUse(PathBuf),
    /// A file operation failed.
    #[error("AUTHQL_DATA_DIR cannot be used ({path}: {source}): set it to a folder that authql may write to")]
    Files {
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl DataFolder {
    /// Opens the folder, making it if need be. Others may pass through it (the database may run as another user), but not
    /// look into it.
    ///
    /// # Errors
    /// See [`DataFolderError`].
    pub fn open(path: &Path) -> Result<Self, DataFolderError> {
        let failed = |source| DataFolderError::Files { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o711)).map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataFolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secret that was generated at the first start: 32 random bytes in a file that only its owner can read.
    ///
    /// # Errors
    /// See [`DataFolderError`].
    pub fn secret(&self) -> Result<SecretString, DataFolderError> {
        let path = self.path.join("secret");
        let failed = |source| DataFolderError::Files { path: path.clone(), source };
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| failed(io::Error::other("no random numbers")))?;
        let text = STANDARD.encode(bytes);
        // Written aside, to disk, and renamed: a start that is interrupted leaves the whole secret or none.
        let aside = path.with_extension("new");
        let write = || {
            let mut file =
                OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&aside)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(failed)?;
        Ok(text.into())
    }

    /// A folder inside, which only its owner can look into.
    ///
    /// # Errors
    /// See [`DataFolderError`].
    pub fn private_folder(&self, name: &str) -> Result<PathBuf, DataFolderError> {
        let path = self.path.join(name);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| DataFolderError::Files { path: path.clone(), source })?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_is_nobody_elses() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let made = DataFolder::open(&path).unwrap().secret().unwrap();
        assert_eq!(fs::metadata(path.join("secret")).unwrap().permissions().mode() & 0o777, 0o600);
        let read = DataFolder::open(&path).unwrap().secret().unwrap();
        assert_eq!(made.expose_secret(), read.expose_secret());
    }

    #[test]
    fn a_folder_serves_one_authql_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let first = DataFolder::open(parent.path()).unwrap();
        let refusal = DataFolder::open(parent.path()).map(drop).unwrap_err().to_string();
        assert!(refusal.starts_with("another authql is using"), "{refusal}");
        drop(first);
        assert!(DataFolder::open(parent.path()).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let refusal = DataFolder::open(Path::new("/dev/null/data")).map(drop).unwrap_err().to_string();
        assert!(refusal.starts_with("AUTHQL_DATA_DIR cannot be used (/dev/null/data: "), "{refusal}");
    }
}
