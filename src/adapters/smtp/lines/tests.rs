//! Time limits of each step, and which lines are used again (docs/security.md MAI-7, docs/faults.md F16).

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

const LIMITS: TimeLimits = TimeLimits {
    connection: Duration::from_secs(2),
    reply: Duration::from_secs(2),
    acceptance: Duration::from_secs(2),
};

/// A server that stops talking at one step of its first conversation, and refuses the second recipient whom it meets.
struct Peer {
    port: u16,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    conversations: AtomicUsize,
    recipients: AtomicUsize,
    mails: AtomicUsize,
    resets: AtomicUsize,
}

impl Peer {
    async fn that_falls_silent_at(step: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Seen>::default();
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let is_first = shared.conversations.fetch_add(1, Ordering::Relaxed) == 0;
                let step = if is_first { step } else { "never" };
                let seen = Arc::clone(&shared);
                tokio::spawn(async move { seen.talk(stream, step).await });
            }
        });
        Self { port, seen, task }
    }

    fn lines(&self, user: &str, query: &str) -> Lines {
        let server = MailServer::parse(&format!("smtp://{user}localhost:{}?{query}", self.port)).unwrap();
        Lines::new(server, ClientId::Domain("example.org".to_owned()), LIMITS)
    }

    fn conversations(&self) -> usize {
        self.seen.conversations.load(Ordering::Relaxed)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    async fn talk(&self, stream: TcpStream, silent_at: &str) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let (mut verb, mut line) = ("greeting".to_owned(), String::new());
        let mut is_data = false;
        loop {
            if verb == silent_at {
                return std::future::pending().await;
            }
            let reply = match verb.as_str() {
                "greeting" => "220 peer.test\r\n",
                "EHLO" => "250-peer.test\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
                "STARTTLS" => "220 go\r\n",
                "AUTH" => "235 welcome\r\n",
                "RCPT" if self.recipients.fetch_add(1, Ordering::Relaxed) == 1 => "550 not this one\r\n",
                "DATA" => "354 go\r\n",
                "busy" => "421 come back later\r\n",
                _ => "250 fine\r\n",
            };
            match verb.as_str() {
                "RSET" => drop(self.resets.fetch_add(1, Ordering::Relaxed)),
                "." => drop(self.mails.fetch_add(1, Ordering::Relaxed)),
                _ => {}
            }
            stream.write_all(reply.as_bytes()).await.ok()?;
            if verb == "STARTTLS" && silent_at == "the handshake" {
                return std::future::pending().await;
            }
            is_data = verb == "DATA" || is_data && verb != ".";
            loop {
                line.clear();
                if stream.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                if !is_data || line == ".\r\n" {
                    break;
                }
            }
            let verb_length = line.find([' ', '\r']).unwrap_or_default();
            line[..verb_length].clone_into(&mut verb);
        }
    }
}

fn mail() -> Message {
    let address = || "ada@example.org".parse().unwrap();
    Message::builder().from(address()).to(address()).subject("").body(String::new()).unwrap()
}

#[tokio::test]
async fn each_step_has_a_limit_and_a_line_that_hangs_is_not_used_again() {
    let steps = [
        ("greeting", "greet", "tls=none"),
        ("EHLO", "greet", "tls=none"),
        ("STARTTLS", "start TLS", "tls=required"),
        ("the handshake", "start TLS", "tls=opportunistic"),
        ("AUTH", "answer AUTH", "tls=none"),
        ("MAIL", "answer MAIL", "tls=none"),
        ("RCPT", "answer RCPT", "tls=none"),
        ("DATA", "answer DATA", "tls=none"),
        (".", "take the mail", "tls=none"),
    ];
    join_all(steps.map(async |(silent_at, step, query)| {
        let peer = Peer::that_falls_silent_at(silent_at).await;
        let error = match peer.lines("ada:secret@", query).send(&mail()).await.unwrap_err() {
            Failure::NoLine(error) => *error,
            error => error,
        };
        assert!(matches!(error, Failure::TooSlow { step: slow, .. } if slow == step), "{error}");
        assert!(peer.seen.mails.load(Ordering::Relaxed) == 0 && peer.conversations() == 1);
    }))
    .await;

    let peer = Peer::that_falls_silent_at(".").await;
    let lines = peer.lines("", "tls=none");
    lines.send(&mail()).await.unwrap_err();
    assert!(lines.idle.lock().is_empty());
}

#[tokio::test]
async fn a_line_is_used_again_and_a_refusal_does_not_end_it() {
    let peer = Peer::that_falls_silent_at("never").await;
    let lines = peer.lines("", "tls=none");
    lines.send(&mail()).await.unwrap();
    let refused = lines.send(&mail()).await.unwrap_err();
    assert!(refused.to_string().contains("550"), "{refused}");
    lines.send(&mail()).await.unwrap();
    assert_eq!((peer.conversations(), peer.seen.mails.load(Ordering::Relaxed)), (1, 2));
    assert_eq!(peer.seen.resets.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_line_that_died_meanwhile_is_replaced() {
    let peer = Peer::that_falls_silent_at("RSET").await;
    let lines = peer.lines("", "tls=none");
    lines.send(&mail()).await.unwrap();
    // Its first conversation says nothing more.
    assert!(matches!(lines.send(&mail()).await, Err(Failure::Smtp(error)) if error.is_permanent()));
    lines.send(&mail()).await.unwrap();
    assert_eq!((peer.conversations(), peer.seen.mails.load(Ordering::Relaxed)), (2, 2));
}
