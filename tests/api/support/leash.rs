//! Ends a process with the test that started it, also when the test itself is killed.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Holds a process until this is dropped, or its owner dies: then the process gets the signal, and its folder is removed.
pub struct Leash {
    /// A shell that waits for the end of its standard input.
    shell: Child,
}

impl Leash {
    pub fn on(pid: u32, signal: &str, folder: &Path) -> io::Result<Self> {
        let script = r#"read -r _; kill -CONT "$1" 2>/dev/null; kill -"$2" "$1" 2>/dev/null
            tries=0; while kill -0 "$1" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
            rm -rf "$3""#;
        let shell = Command::new("sh")
            .args(["-c", script, "leash", &pid.to_string(), signal])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { shell })
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
