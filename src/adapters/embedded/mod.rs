//! The private PostgreSQL of the zero-configuration mode: the machine's own server as a child process, its files in the
//! data folder, reached over a Unix socket that nobody else can open.

mod binaries;
mod error;
mod owner;
mod postmaster;

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use tokio::process::Child;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub use self::error::EmbeddedError;

use self::binaries::Binaries;
use self::error::files;
use self::owner::Owner;
use self::postmaster::Postmaster;

/// The superuser of the private cluster, the only one who can connect.
pub const USER: &str = "authql";
/// The database in it.
pub const DATABASE: &str = "postgres";
/// The number in the name of the socket; no TCP port is opened.
pub const PORT: u16 = 5432;

/// How long a start may take, recovery after a crash included.
const START_LIMIT: Duration = Duration::from_mins(1);
/// After a crash, Postgres refuses to start while processes of its predecessor linger.
const EARLY_EXIT_LIMIT: Duration = Duration::from_secs(15);
/// How long a stop may take before it is forced.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(10);
/// How often the server is looked after.
const WATCH: Duration = Duration::from_millis(250);

/// A running private PostgreSQL. It is looked after: when it dies, it is started again.
pub struct PrivatePostgres {
    socket_folder: PathBuf,
    version: u32,
    pid: watch::Receiver<i32>,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

impl PrivatePostgres {
    /// Starts the server in `folder`, which must exist, or takes over the one that still runs there after authql was
    /// killed. Makes the cluster when there is none.
    ///
    /// # Errors
    /// See [`EmbeddedError`].
    pub async fn start(folder: &Path) -> Result<Self, EmbeddedError> {
        let cluster = Cluster::find_or_create(folder).await?;
        let server = cluster.adopt_or_start().await?;
        let (socket_folder, version) = (cluster.socket_folder.clone(), cluster.binaries.major);
        let (stop, stopped) = oneshot::channel();
        let (pid_sender, pid) = watch::channel(server.pid);
        let keeper = tokio::spawn(keep(cluster, server, pid_sender, stopped));
        Ok(Self { socket_folder, version, pid, stop, keeper })
    }

    /// The folder of the Unix socket.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        &self.socket_folder
    }

    /// The major version of the server.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> i32 {
        *self.pid.borrow()
    }

    /// Shuts the server down and waits for its end.
    pub async fn stop(self) {
        // When the keeper has ended by itself there is nothing to stop.
        let _ = self.stop.send(());
        let _ = self.keeper.await;
    }
}

/// Where the cluster is and what runs it.
struct Cluster {
    binaries: Binaries,
    owner: Owner,
    files: PathBuf,
    socket_folder: PathBuf,
    log: PathBuf,
}

/// The server process: our child, or one that outlived an earlier authql.
struct Server {
    pid: i32,
    child: Option<Child>,
}

impl Cluster {
    async fn find_or_create(folder: &Path) -> Result<Self, EmbeddedError> {
        let folder = folder.canonicalize().map_err(files("cannot open", folder))?;
        let files = folder.join("postgres");
        let binaries = Binaries::find(&files)?;
        let owner = Owner::choose(&folder)?;
        let socket_folder = postmaster::socket_folder(&folder);
        owner.make_folder(&socket_folder)?;
        let cluster = Self { binaries, owner, files, socket_folder, log: folder.join("postgres.log") };
        if !cluster.files.exists() {
            cluster.create().await?;
        }
        Ok(cluster)
    }

    /// Makes the cluster aside and renames it, so that an interrupted start leaves no half of one.
    async fn create(&self) -> Result<(), EmbeddedError> {
        let aside = self.files.with_extension("new");
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(self::files("cannot remove", &aside))?;
        }
        self.owner.make_folder(&aside)?;
        let output = self
            .owner
            .command(&self.binaries.initdb)
            .arg("--pgdata")
            .arg(&aside)
            .args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"])
            .args(["--no-instructions", "--data-checksums"])
            .output()
            .await
            .map_err(self::files("cannot run", &self.binaries.initdb))?;
        if !output.status.success() {
            return Err(EmbeddedError::Initdb(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        fs::rename(&aside, &self.files).map_err(self::files("cannot make", &self.files))
    }

    async fn adopt_or_start(&self) -> Result<Server, EmbeddedError> {
        let began = Instant::now();
        loop {
            if let Some(pid) = self.ready_pid() {
                return Ok(Server { pid, child: None });
            }
            let mut child = self.spawn()?;
            let pid = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
            loop {
                if self.ready_pid() == Some(pid) {
                    return Ok(Server { pid, child: Some(child) });
                }
                if child.try_wait().map_err(files("cannot watch", &self.binaries.postgres))?.is_some() {
                    break;
                }
                if began.elapsed() > START_LIMIT {
                    return Err(self.not_started());
                }
                sleep(POLL).await;
            }
            if began.elapsed() > EARLY_EXIT_LIMIT {
                return Err(self.not_started());
            }
            sleep(WATCH).await;
        }
    }

    fn spawn(&self) -> Result<Child, EmbeddedError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(files("cannot write", &self.log))?;
        self.owner
            .command(&self.binaries.postgres)
            .arg("-D")
            .arg(&self.files)
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "max_connections=100",
                "-c",
                "unix_socket_permissions=0700",
            ])
            .args([
                "-c",
                &format!("port={PORT}"),
                "-c",
                "logging_collector=off",
                "-c",
                "log_destination=stderr",
            ])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", self.socket_folder.display()))
            // A group of its own: Ctrl-C in the terminal reaches authql alone, which closes its connections first.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(files("cannot run", &self.binaries.postgres))
    }

    /// The process of a server that answers on this cluster's socket.
    fn ready_pid(&self) -> Option<i32> {
        let postmaster = Postmaster::read(&self.files)?;
        let answers = || UnixStream::connect(&postmaster.socket).is_ok();
        (postmaster.is_ready && postmaster.is_alive() && answers()).then_some(postmaster.pid)
    }

    fn not_started(&self) -> EmbeddedError {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let last = text.lines().last().unwrap_or("it is empty").to_owned();
        EmbeddedError::NotStarted { log: self.log.clone(), last }
    }
}

/// Starts the server again when it dies, and ends it when asked to.
async fn keep(
    cluster: Cluster,
    mut server: Server,
    pid: watch::Sender<i32>,
    mut stop: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            _ = &mut stop => return shut_down(server).await,
            () = sleep(WATCH) => {}
        }
        if server.is_alive() {
            continue;
        }
        tracing::warn!("the private PostgreSQL died; starting it again");
        match cluster.adopt_or_start().await {
            Ok(started) => server = started,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "it did not start; trying again");
            }
        }
        pid.send_replace(server.pid);
    }
}

impl Server {
    fn is_alive(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => postmaster::is_alive(self.pid),
        }
    }

    fn signal(&self, signal: Signal) {
        // The one failure is that the process is gone, and that is what the signal is for.
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// A fast shutdown: connections are closed, everything is written. Forced after a while.
async fn shut_down(mut server: Server) {
    server.signal(Signal::INT);
    let began = Instant::now();
    while server.is_alive() {
        if began.elapsed() > STOP_LIMIT {
            server.signal(Signal::QUIT);
            return;
        }
        sleep(POLL).await;
    }
}

/// Makes a folder that only its owner can enter.
fn make_private_folder(folder: &Path) -> Result<(), EmbeddedError> {
    // The folder for temporary files is everybody's: somebody may have put a link of that name there first.
    if folder.is_symlink() {
        return Err(files("will not follow", folder)(io::Error::other("it is a symbolic link")));
    }
    fs::create_dir_all(folder).map_err(files("cannot make", folder))?;
    fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(files("cannot protect", folder))
}
