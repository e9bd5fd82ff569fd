//! A TCP line between authql and a server that a test can freeze and cut.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It arrives.
    Open,
    /// It is held back, and connections stay open: half-open, as after a failed router.
    Frozen,
    /// Connections are closed, and new ones too.
    Cut,
}

/// Where a line leads.
#[derive(Debug, Clone)]
pub enum Target {
    Port(u16),
    Socket(PathBuf),
}

/// A listener that forwards to its target.
pub struct Proxy {
    pub port: u16,
    line: Arc<watch::Sender<Line>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn to(target: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Arc::new(watch::Sender::new(Line::Open));
        let seen = Arc::clone(&line);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (target, line) = (target.clone(), seen.subscribe());
                if *line.borrow() != Line::Cut {
                    connections.spawn(forward(client, target, line));
                }
            }
        });
        Self { port, line, task }
    }

    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(client: TcpStream, target: Target, line: watch::Receiver<Line>) {
    client.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    match target {
        Target::Port(port) => {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            server.set_nodelay(true).unwrap();
            let (from_server, to_server) = server.into_split();
            join(from_client, to_server, from_server, to_client, line).await;
        }
        Target::Socket(path) => {
            let Ok(server) = UnixStream::connect(path).await else { return };
            let (from_server, to_server) = server.into_split();
            join(from_client, to_server, from_server, to_client, line).await;
        }
    }
}

async fn join(
    from_client: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    from_server: impl AsyncRead + Unpin,
    to_client: impl AsyncWrite + Unpin,
    mut line: watch::Receiver<Line>,
) {
    let (mut there, mut back) = (line.clone(), line.clone());
    tokio::select! {
        () = copy(from_client, to_server, &mut there) => {}
        () = copy(from_server, to_client, &mut back) => {}
        _ = line.wait_for(|line| *line == Line::Cut) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    line: &mut watch::Receiver<Line>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 || line.wait_for(|line| *line == Line::Open).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
