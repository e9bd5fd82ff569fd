//! What tests run in Node: a folder of scripts with the packages that they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::{STRICT, find_program};

/// How long `npm ci` may take for its few packages, and a script for its story.
const PATIENCE: Duration = Duration::from_mins(2);

/// A copy of a folder of scripts, with its packages.
pub struct Node {
    program: PathBuf,
    folder: TempDir,
}

impl Node {
    /// `None`, after saying so, where Node is missing, or npm cannot fetch what the folder's lock file names.
    pub async fn with(scripts: &str) -> Option<Self> {
        let (program, npm) = (find_program("node")?, find_program("npm")?);
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(scripts)).unwrap() {
            let file = entry.unwrap().path();
            if file.is_file() {
                fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
            }
        }
        let mut install = Command::new(npm);
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder.path());
        if let Err(complaint) = run(&mut install).await {
            assert!(std::env::var_os(STRICT).is_none(), "npm cannot fetch the packages: {complaint}");
            println!("left out: npm cannot fetch the packages of {scripts}: {complaint}");
            return None;
        }
        Some(Self { program, folder })
    }

    /// What a script prints, or its complaint.
    pub async fn run(&self, script: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        run(command.arg(script).args(arguments).current_dir(self.folder.path())).await
    }
}

async fn run(command: &mut Command) -> Result<String, String> {
    let child = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, child).await.map_err(|_| "it took too long".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
