//! What a running server says of itself in `postmaster.pid`, and where its socket is.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use super::PORT;

/// The longest path of a Unix socket that every system takes, in bytes.
const MAX_SOCKET_PATH: usize = 103;

/// The content of `postmaster.pid`.
pub(super) struct Postmaster {
    pub(super) pid: i32,
    pub(super) socket: PathBuf,
    pub(super) is_ready: bool,
}

impl Postmaster {
    /// Reads the file of the cluster in `files`. `None` when there is none, or it is only being written.
    pub(super) fn read(files: &Path) -> Option<Self> {
        let text = fs::read_to_string(files.join("postmaster.pid")).ok()?;
        // Line by line: process, folder, start, port, folder of the socket, address, shared memory, state.
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let port: u16 = lines.get(3)?.parse().ok()?;
        Some(Self {
            pid: lines.first()?.parse().ok()?,
            socket: socket(Path::new(lines.get(4)?), port),
            is_ready: lines.get(7) == Some(&"ready"),
        })
    }

    /// Whether the process of that number runs.
    pub(super) fn is_alive(&self) -> bool {
        is_alive(self.pid)
    }
}

/// Whether a process of that number runs.
pub(super) fn is_alive(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// The folder of the socket: inside the data folder, or, where that has too long a path, in the folder for temporary files.
pub(super) fn socket_folder(folder: &Path) -> PathBuf {
    let inside = folder.join("run");
    if socket(&inside, PORT).as_os_str().len() <= MAX_SOCKET_PATH {
        return inside;
    }
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    std::env::temp_dir().join(format!("authql-{:016x}", hasher.finish()))
}

fn socket(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_stays_within_what_every_system_takes() {
        assert_eq!(socket_folder(Path::new("/srv/authql")), Path::new("/srv/authql/run"));
        let deep = PathBuf::from(format!("/srv/{}", "x".repeat(100)));
        assert!(socket(&socket_folder(&deep), PORT).as_os_str().len() <= MAX_SOCKET_PATH);
        assert_eq!(socket_folder(&deep), socket_folder(&deep));
    }
}
