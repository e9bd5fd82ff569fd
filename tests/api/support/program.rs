//! The program itself, as a person or a supervisor starts it.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::leash::Leash;

/// A running `authql serve`.
pub struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What it printed until it was ready.
    pub banner: String,
    pub url: String,
    log: Arc<Mutex<String>>,
    _leash: Leash,
}

/// A folder that the user whom PostgreSQL runs as can enter, even when the tests run as root.
pub fn folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap()
}

/// The program with these settings and no others.
pub fn command(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authql"));
    command.current_dir(folder).env_clear().envs(settings.iter().copied());
    for name in ["PATH", "TMPDIR"] {
        if let Some(text) = std::env::var_os(name) {
            command.env(name, text);
        }
    }
    command
}

/// Runs it to its end.
pub fn output(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    command(folder, settings).args(arguments).output().unwrap()
}

/// What it printed.
pub fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What it complained about, and its exit code.
pub fn complaint(output: Output) -> (String, i32) {
    assert!(!output.status.success());
    (String::from_utf8(output.stderr).unwrap(), output.status.code().unwrap())
}

impl Program {
    /// Starts it in `folder` and waits for its banner.
    pub fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut serve = command(folder, settings);
        serve.arg("serve");
        Self::start_as(serve)
    }

    /// The same, where the system gives it that many files.
    pub fn start_with_files(files: usize, folder: &Path, settings: &[(&str, &str)]) -> Self {
        let serve = command(folder, settings);
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {files}; exec \"$0\" serve")]).arg(serve.get_program());
        limited.current_dir(folder).env_clear();
        limited.envs(serve.get_envs().filter_map(|(name, text)| Some((name, text?))));
        Self::start_as(limited)
    }

    fn start_as(mut serve: Command) -> Self {
        let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let nothing = tempfile::tempdir().unwrap();
        let leash = Leash::on(child.id(), "INT", nothing.path()).unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("curl ") {
            if stdout.read_line(&mut banner).unwrap() == 0 {
                let mut complaint = String::new();
                child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
                panic!("it did not start: {complaint}");
            }
        }
        let log = follow(child.stderr.take().unwrap());
        let url = banner.split_once("GraphQL").unwrap().1.split_whitespace().next().unwrap();
        let url = url.trim_end_matches("/graphql").to_owned();
        Self { child, stdout, banner, url, log, _leash: leash }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends it a signal, by the name that `kill` knows.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits for its end, while what the test itself serves goes on.
    pub async fn wait(mut self) -> ExitStatus {
        let end = move || {
            self.stdout.read_to_string(&mut String::new()).unwrap();
            self.child.wait().unwrap()
        };
        tokio::task::spawn_blocking(end).await.unwrap()
    }
}

/// Keeps what is written into a pipe, which must not fill.
fn follow(pipe: ChildStderr) -> Arc<Mutex<String>> {
    let log = Arc::<Mutex<String>>::default();
    let kept = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let mut kept = kept.lock().unwrap();
            kept.push_str(&String::from_utf8_lossy(&line));
            kept.push('\n');
        }
    });
    log
}

/// Sends a process a signal, by the name that `kill` knows.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}
