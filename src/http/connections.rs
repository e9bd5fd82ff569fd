//! Connections: how many there may be at once, and how slow their clients may be.
//!
//! A client that sends its headers or takes its answer too slowly is cut off; its body has a time limit of its own, where it is
//! read. When all places are taken, new clients wait in the system's queue: nobody who is being served is disturbed.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

/// The most connections, as far as the system gives files for them.
const MOST: u64 = 4096;
/// The files that everything else needs: connections to Postgres, Redis and the mail server, keys, mails.
const RESERVED_FILES: u64 = 64;
/// The largest headers of a request, in bytes. The longest document fits into a query string, its every character escaped.
const MAX_HEADERS: usize = 64 * 1024;
/// How long nothing is accepted when the system has no more files.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a connection waits for its client.
#[derive(Clone, Copy)]
struct Patience {
    /// For the headers of the next request, also between two requests: longer than proxies keep an idle connection
    /// (`nginx.conf`), or they would send a request into one that is just being closed.
    headers: Duration,
    /// For an answer to be taken.
    answer: Duration,
}

const PATIENCE: Patience = Patience { headers: Duration::from_secs(30), answer: Duration::from_secs(30) };

/// Answers requests on `listener` until `shutdown`, and then those in flight. Dropped, it cuts them off.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(most_connections()));
    let (mut connections, closing) = (JoinSet::new(), CancellationToken::new());
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        // An answer is written in one piece: holding it back until more comes would only delay it.
        let _ = stream.set_nodelay(true);
        let (router, closing) = (router.clone(), closing.clone());
        connections.spawn(async move {
            let _place = place;
            converse(stream, peer, router, PATIENCE, closing).await;
        });
    }
    drop(listener);
    closing.cancel();
    while connections.join_next().await.is_some() {}
}

/// How many connections there may be, so that they never take the last file that the system gives this process.
fn most_connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = files.saturating_sub(RESERVED_FILES).clamp(1, MOST);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, Place) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            // Its client has gone again: that is no reason to keep the next one waiting.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no connection can be accepted for a moment"
                );
                sleep(PAUSE).await;
            }
        }
    }
}

/// `None` only if nobody counted, which cannot be: the semaphore is never closed.
type Place = Option<OwnedSemaphorePermit>;

/// Answers the requests of one client. After `closing`, the one in flight is the last.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    patience: Patience,
    closing: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let stream = TokioIo::new(ImpatientWriter { stream, limit: patience.answer, waiting: None });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .max_buf_size(MAX_HEADERS)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // What clients do wrong; there is nobody to tell.
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection was broken off");
    }
}

/// A stream whose other end has to take what is written within a limit, counted from when it first does not.
struct ImpatientWriter<S> {
    stream: S,
    limit: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> ImpatientWriter<S> {
    /// What a writer that cannot go on answers: `Pending`, or an error when that has been so for too long.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ImpatientWriter<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Pending => self.wait(cx),
            written @ Poll::Ready(_) => written,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(cx, parts) {
            Poll::Pending => self.wait(cx),
            written @ Poll::Ready(_) => written,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when the whole answer has been written. Until then a byte now and then buys no time.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Pending => self.wait(cx),
            flushed @ Poll::Ready(_) => {
                self.waiting = None;
                flushed
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(cx) {
            Poll::Pending => self.wait(cx),
            closed @ Poll::Ready(_) => closed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ImpatientWriter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_hours(1);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// A client of a server that answers everything with much more than the line holds, and the server's end.
    fn client(patience: Patience, closing: &CancellationToken) -> (DuplexStream, JoinHandle<()>) {
        let (client, server) = duplex(1024);
        let router = Router::new().route("/", get(async || "x".repeat(100_000)));
        let peer = "192.0.2.1:4711".parse().unwrap();
        (client, tokio::spawn(converse(server, peer, router, patience, closing.clone())))
    }

    #[tokio::test]
    async fn a_client_that_takes_its_time_for_headers_is_cut_off() {
        for sent in [&b""[..], b"GET / HTTP/1.1\r\nHost: "] {
            let patience = Patience { headers: SHORT, answer: LONG };
            let (mut client, server) = client(patience, &CancellationToken::new());
            client.write_all(sent).await.unwrap();
            server.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_take_its_answer_is_cut_off() {
        let patience = Patience { headers: LONG, answer: SHORT };
        let (mut client, server) = client(patience, &CancellationToken::new());
        client.write_all(REQUEST).await.unwrap();
        // A few bytes buy no time.
        client.read_exact(&mut [0; 10]).await.unwrap();
        server.await.unwrap();
    }

    #[tokio::test]
    async fn the_answer_in_flight_is_the_last_when_the_server_closes() {
        let closing = CancellationToken::new();
        let (mut client, server) = client(Patience { headers: LONG, answer: LONG }, &closing);
        client.write_all(REQUEST).await.unwrap();
        client.read_exact(&mut [0; 10]).await.unwrap();
        closing.cancel();
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.unwrap();
        assert!(rest.ends_with(&"x".repeat(100_000)));
        server.await.unwrap();
    }
}
