//! Whom the server runs as. PostgreSQL refuses to run as root, so then it is another user, who owns its files.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use tokio::process::Command;

use super::error::files;
use super::{EmbeddedError, make_private_folder};

/// The user of the server: ourselves, or somebody else when we are root.
pub(super) enum Owner {
    Ourselves,
    Other { uid: u32, gid: u32 },
}

impl Owner {
    /// Decides, and makes sure that the server will reach its files below `folder`.
    pub(super) fn choose(folder: &Path) -> Result<Self, EmbeddedError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let (user, uid, gid) = ["postgres", "nobody"]
            .into_iter()
            .find_map(|user| find_account(&accounts, user))
            .ok_or(EmbeddedError::NoUser)?;
        for ancestor in folder.ancestors() {
            let metadata = fs::metadata(ancestor).map_err(files("cannot look at", ancestor))?;
            let mode = metadata.mode();
            let bit = if metadata.uid() == uid {
                0o100
            } else if metadata.gid() == gid {
                0o010
            } else {
                0o001
            };
            if mode & bit == 0 {
                return Err(EmbeddedError::Unreachable {
                    user: user.to_owned(),
                    folder: ancestor.to_owned(),
                });
            }
        }
        Ok(Self::Other { uid, gid })
    }

    /// Makes a folder that only the server's user, and root, can enter.
    pub(super) fn make_folder(&self, folder: &Path) -> Result<(), EmbeddedError> {
        make_private_folder(folder)?;
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => {
                chown(folder, Some(*uid), Some(*gid)).map_err(files("cannot give away", folder))
            }
        }
    }

    /// A command that runs as the server's user, with nothing of our environment but the path.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").current_dir("/");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Self::Other { uid, gid } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }
}

/// The name, uid and gid of a user in the text of `/etc/passwd`.
fn find_account<'a>(accounts: &str, user: &'a str) -> Option<(&'a str, u32, u32)> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some((user, numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:8::/:\npostgres:x:101:104:P:/var:/bin/bash\n";
        assert_eq!(find_account(accounts, "postgres"), Some(("postgres", 101, 104)));
        assert_eq!(find_account(accounts, "nobody"), None);
    }
}
