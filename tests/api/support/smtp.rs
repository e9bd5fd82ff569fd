//! An SMTP peer that really speaks SMTP (RFC 5321), well or badly.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::mail::Letter;

/// How it treats the mails that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes them.
    Friendly,
    /// Asks for another try, with a 451, at `RCPT`.
    Greylisting,
    /// Refuses the recipient for good, with a 550.
    Refusing,
    /// Takes the whole mail, and never answers.
    Silent,
}

/// A server on a port of its own that keeps what it gets.
pub struct SmtpSink {
    port: u16,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

struct Shared {
    mood: Mutex<Mood>,
    letters: watch::Sender<Vec<Letter>>,
    /// How many mails it has been offered, taken or not.
    offers: watch::Sender<usize>,
}

impl SmtpSink {
    pub async fn start() -> Self {
        let shared = Shared {
            mood: Mutex::new(Mood::Friendly),
            letters: watch::Sender::new(Vec::new()),
            offers: watch::Sender::new(0),
        };
        let mut sink = Self { port: super::redis::free_port(), shared: Arc::new(shared), task: None };
        sink.restart().await;
        sink
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    pub fn set_mood(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// Closes the port and every conversation.
    pub async fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Opens the same port again.
    pub async fn restart(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let shared = Arc::clone(&self.shared);
        self.task = Some(tokio::spawn(async move {
            let mut conversations = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                conversations.spawn(async move { shared.talk(stream).await });
            }
        }));
    }

    /// What it has taken so far.
    pub fn letters(&self) -> Vec<Letter> {
        self.shared.letters.borrow().clone()
    }

    /// Waits until it has taken that many mails.
    pub async fn wait_for(&self, count: usize) -> Vec<Letter> {
        let mut letters = self.shared.letters.subscribe();
        let waiting = letters.wait_for(|letters| letters.len() >= count);
        let seconds = std::time::Duration::from_secs(20);
        tokio::time::timeout(seconds, waiting).await.expect("the mail did not arrive").unwrap().clone()
    }

    /// Waits until it has been offered that many mails.
    pub async fn wait_for_offers(&self, count: usize) {
        let mut offers = self.shared.offers.subscribe();
        let waiting = offers.wait_for(|offers| *offers >= count);
        let seconds = std::time::Duration::from_secs(20);
        tokio::time::timeout(seconds, waiting).await.expect("no mail was offered").unwrap();
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    async fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 sink.test ESMTP\r\n").await?;
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let verb =
                line.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_uppercase();
            let mood = *self.mood.lock().unwrap();
            let reply = match (verb.as_str(), mood) {
                ("EHLO", _) => "250-sink.test\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8\r\n",
                // Nobody has an account here.
                ("AUTH", _) => {
                    self.offers.send_modify(|offers| *offers += 1);
                    "535 5.7.8 wrong user or password\r\n"
                }
                ("RCPT", Mood::Greylisting) => {
                    self.offers.send_modify(|offers| *offers += 1);
                    "451 4.7.1 greylisted, come back later\r\n"
                }
                ("RCPT", Mood::Refusing) => {
                    self.offers.send_modify(|offers| *offers += 1);
                    "550 5.1.1 no such person here\r\n"
                }
                ("MAIL" | "RCPT" | "RSET" | "NOOP", _) => "250 fine\r\n",
                ("DATA", _) => {
                    stream.write_all(b"354 go ahead\r\n").await?;
                    let source = read_data(&mut stream).await?;
                    self.offers.send_modify(|offers| *offers += 1);
                    if mood == Mood::Silent {
                        return std::future::pending().await;
                    }
                    self.letters.send_modify(|letters| letters.push(Letter::parse(&source)));
                    "250 taken\r\n"
                }
                ("QUIT", _) => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                _ => "502 not here\r\n",
            };
            stream.write_all(reply.as_bytes()).await?;
        }
    }
}

/// The lines up to the one with a single dot, with doubled dots undone.
async fn read_data(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut source = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 || line == b".\r\n" {
            return Ok(source);
        }
        source.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
