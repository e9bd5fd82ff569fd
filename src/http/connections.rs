//! Connections: how many there may be at once, and how slow their clients may be.
//!
//! A client that sends its headers or takes its answer too slowly is cut off; its body has a time limit of its own, where it is
//! read. One network may hold a share of all places. Where it wants more, or all are taken, whoever is silent longest makes
//! room; where nobody is silent, new clients wait in the system's queue. Nobody who is being answered is disturbed.

mod answer;
mod places;
mod writer;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::answer::Answer;
use self::places::{Admission, Place, Places};
use self::writer::ImpatientWriter;
use crate::domain::TrustedProxies;

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
///
/// `trusted` proxies speak for many people: they may have as many connections as there are places.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    trusted: TrustedProxies,
    shutdown: impl Future<Output = ()>,
) {
    let places = Places::new(most_connections(), trusted);
    let (mut connections, closing) = (JoinSet::new(), CancellationToken::new());
    let mut shutdown = pin!(shutdown);
    let mut newcomer = None;
    loop {
        tokio::select! {
            accepted = accept(&listener), if newcomer.is_none() => newcomer = Some(accepted),
            () = places.changed(), if newcomer.is_some() => {}
            Some(_) = connections.join_next() => {}
            () = &mut shutdown => break,
        }
        let Some((stream, peer)) = newcomer.take() else { continue };
        match places.admit(peer.ip()) {
            Admission::Refused => {}
            Admission::Full => newcomer = Some((stream, peer)),
            Admission::Admitted(place) => {
                // An answer is written in one piece: holding it back until more comes would only delay it.
                let _ = stream.set_nodelay(true);
                connections.spawn(converse(stream, peer, place, router.clone(), PATIENCE, closing.clone()));
            }
        }
    }
    drop((listener, newcomer));
    closing.cancel();
    while connections.join_next().await.is_some() {}
}

/// How many connections there may be, so that they never take the last file that the system gives this process.
fn most_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // What a process gets by default is low for the sake of programs that use `select`; this one may ask for more.
    let enough = limit.maximum.unwrap_or(u64::MAX).min(MOST + RESERVED_FILES);
    if limit.current.is_some_and(|files| files < enough) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(enough), maximum: limit.maximum });
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = files.saturating_sub(RESERVED_FILES).clamp(1, MOST);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// The next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
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

/// Answers the requests of one client, until its place is taken away. After `closing`, the one in flight is the last.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    place: Arc<Place>,
    router: Router,
    patience: Patience,
    closing: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let asked = Arc::clone(&place);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let begun = asked.begin().map(|answering| (router.call(request), answering));
        async move {
            let (response, answering) = begun.ok_or(io::ErrorKind::ConnectionAborted)?;
            let Ok(response) = response.await;
            Ok::<_, io::Error>(response.map(|body| Answer { body, _answering: answering }))
        }
    });
    let stream = TokioIo::new(ImpatientWriter::new(stream, patience.answer, Arc::clone(&place)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .max_buf_size(MAX_HEADERS)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = place.is_taken_away() => return,
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use axum::routing::get;
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_hours(1);
    const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4711);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// A client of a server that answers everything with much more than the line holds, and the server's end.
    fn client(patience: Patience, closing: &CancellationToken) -> (DuplexStream, JoinHandle<()>) {
        let (client, server) = duplex(1024);
        let router = Router::new().route("/", get(async || "x".repeat(100_000)));
        let place = admitted(&Places::new(8, TrustedProxies::default()));
        (client, tokio::spawn(converse(server, PEER, place, router, patience, closing.clone())))
    }

    fn admitted(places: &Arc<Places>) -> Arc<Place> {
        let Admission::Admitted(place) = places.admit(PEER.ip()) else { panic!("there is no place") };
        place
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
    /// What is left to read until the server closes.
    async fn rest(client: &mut DuplexStream) -> String {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(10), client.read_to_end(&mut rest)).await.unwrap().unwrap();
        String::from_utf8(rest).unwrap()
    }

    #[tokio::test]
    async fn whoever_is_silent_longest_makes_room_and_nobody_who_is_being_answered() {
        // An address may hold three.
        let places = Places::new(24, TrustedProxies::default());
        let (asked, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (heard, opened) = (Arc::clone(&asked), Arc::clone(&gate));
        let answer = async move || {
            heard.notify_one();
            opened.notified().await;
            "done"
        };
        let router = Router::new().route("/", get(answer));
        let connect = || {
            let (client, server) = duplex(1024);
            let (place, closing) = (admitted(&places), CancellationToken::new());
            let patience = Patience { headers: LONG, answer: LONG };
            tokio::spawn(converse(server, PEER, place, router.clone(), patience, closing));
            client
        };
        let mut ada = connect();
        ada.write_all(REQUEST).await.unwrap();
        asked.notified().await;
        let (mut eve, mut bob) = (connect(), connect());
        // More than the line holds, so that some of it has been read when this returns.
        let header = format!("GET / HTTP/1.1\r\nX-Long: {}", "x".repeat(2000));
        eve.write_all(header.as_bytes()).await.unwrap();
        let newcomer = admitted(&places);
        assert_eq!(rest(&mut eve).await, "", "dribbling is no activity");
        gate.notify_one();
        let mut answer = Vec::new();
        while !answer.ends_with(b"done") {
            assert!(ada.read_buf(&mut answer).await.unwrap() > 0, "who was being answered was cut off");
        }
        let newcomers = [admitted(&places), admitted(&places)];
        assert_eq!(rest(&mut bob).await, "");
        assert!(newcomer.is_taken_away().now_or_never().is_some());
        let _newest = admitted(&places);
        assert_eq!(rest(&mut ada).await, "", "now it is the one that was silent longest");
        drop(newcomers);
    }
}
