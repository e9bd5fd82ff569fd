//! An SMTP peer that really speaks SMTP (RFC 5321), well or badly.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// The same at the first two tries for each recipient.
    GreylistingTwice,
    /// Asks for another try after `DATA`, with a 451, at the first one for each recipient.
    Stumbling,
    /// Has no time for anybody: a 421 instead of a greeting.
    Busy,
    /// Wants nothing to do with us: a 554 instead of a greeting.
    Blocking,
    /// Refuses the recipient for good, with a 550.
    Refusing,
    /// Refuses the mail for good, with a 554, after `DATA`.
    RefusingData,
    /// Takes the whole mail, and never answers.
    Silent,
    /// Takes the whole mail, and answers when its mood has changed.
    Holding,
    /// Takes the whole mail, and cuts the line instead of answering, the first time for each recipient.
    Losing,
    /// All of it: each recipient, by the number in the address, gets one of these.
    Stormy,
}

impl Mood {
    /// What it is towards this recipient.
    fn towards(self, recipient: &str) -> Self {
        let number =
            || recipient.split('@').next()?.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok();
        match self {
            _ if recipient.starts_with("nobody") => Self::Refusing,
            Self::Stormy => match number().unwrap_or(0_usize) {
                7 => Self::RefusingData,
                number if number % 400 == 8 => Self::Silent,
                number => [Self::Losing, Self::GreylistingTwice, Self::Stumbling, Self::Friendly][number % 4],
            },
            mood => mood,
        }
    }
}

/// A server on a port of its own that keeps what it gets.
pub struct SmtpSink {
    port: u16,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

struct Shared {
    mood: watch::Sender<Mood>,
    letters: watch::Sender<Vec<Letter>>,
    /// The mails that it took without an answer that was heard.
    unanswered: Mutex<Vec<String>>,
    /// How often each recipient has been tried.
    tries: Mutex<HashMap<String, usize>>,
    /// How many mails it has been offered, taken or not.
    offers: watch::Sender<usize>,
    /// How often somebody has shown the right password.
    logins: AtomicUsize,
}

impl SmtpSink {
    pub async fn start() -> Self {
        let shared = Shared {
            mood: watch::Sender::new(Mood::Friendly),
            letters: watch::Sender::new(Vec::new()),
            unanswered: Mutex::default(),
            tries: Mutex::default(),
            offers: watch::Sender::new(0),
            logins: AtomicUsize::new(0),
        };
        let mut sink = Self { port: super::redis::free_port(), shared: Arc::new(shared), task: None };
        sink.restart().await;
        sink
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often somebody has shown the right password.
    pub fn logins(&self) -> usize {
        self.shared.logins.load(Ordering::Relaxed)
    }

    pub fn set_mood(&self, mood: Mood) {
        self.shared.mood.send_replace(mood);
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

    /// The ids of the mails that it took without an answer that was heard.
    pub fn unanswered(&self) -> Vec<String> {
        self.shared.unanswered.lock().unwrap().clone()
    }

    /// Waits until it has taken that many mails, each within twenty seconds of the one before.
    pub async fn wait_for(&self, count: usize) -> Vec<Letter> {
        let mut letters = self.shared.letters.subscribe();
        while letters.borrow_and_update().len() < count {
            let seconds = std::time::Duration::from_secs(20);
            tokio::time::timeout(seconds, letters.changed()).await.expect("the mail did not arrive").unwrap();
        }
        self.letters()
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
        let refusal: Option<&[u8]> = match *self.mood.borrow() {
            Mood::Busy => Some(b"421 4.3.2 too busy, come back later\r\n"),
            Mood::Blocking => Some(b"554 5.7.1 your address is blocked\r\n"),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.offers.send_modify(|offers| *offers += 1);
            return stream.write_all(refusal).await;
        }
        stream.write_all(b"220 sink.test ESMTP\r\n").await?;
        let (mut line, mut recipient) = (String::new(), String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let verb =
                line.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_uppercase();
            let reply = match verb.as_str() {
                "EHLO" => "250-sink.test\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8\r\n",
                // The one account: \0ada\0right.
                "AUTH" if line.trim_end().ends_with("PLAIN AGFkYQByaWdodA==") => {
                    self.logins.fetch_add(1, Ordering::Relaxed);
                    "235 welcome\r\n"
                }
                "AUTH" => {
                    self.offers.send_modify(|offers| *offers += 1);
                    "535 5.7.8 wrong user or password\r\n"
                }
                "RCPT" => {
                    recipient = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    self.greet(&recipient)
                }
                "MAIL" | "RSET" | "NOOP" => "250 fine\r\n",
                "DATA" => {
                    stream.write_all(b"354 go ahead\r\n").await?;
                    let source = read_data(&mut stream).await?;
                    if !self.take(&mut stream, &recipient, &source).await? {
                        return Ok(());
                    }
                    continue;
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                _ => "502 not here\r\n",
            };
            stream.write_all(reply.as_bytes()).await?;
        }
    }

    /// The reply to `RCPT`.
    fn greet(&self, recipient: &str) -> &'static str {
        let tries = {
            let mut tries = self.tries.lock().unwrap();
            let tries = tries.entry(recipient.to_owned()).or_default();
            *tries += 1;
            *tries
        };
        let reply = match self.mood.borrow().towards(recipient) {
            Mood::Greylisting => "451 4.7.1 greylisted, come back later\r\n",
            Mood::GreylistingTwice if tries <= 2 => "451 4.7.1 greylisted, come back later\r\n",
            Mood::Refusing => "550 5.1.1 no such person here\r\n",
            _ => return "250 fine\r\n",
        };
        self.offers.send_modify(|offers| *offers += 1);
        reply
    }

    /// Takes a mail, or does not. `false` when that is the end of the conversation.
    async fn take(
        &self,
        stream: &mut BufReader<TcpStream>,
        recipient: &str,
        source: &[u8],
    ) -> std::io::Result<bool> {
        let letter = Letter::parse(source);
        let is_first = self.tries.lock().unwrap().get(recipient) == Some(&1);
        let mood = self.mood.borrow().towards(recipient);
        self.offers.send_modify(|offers| *offers += 1);
        match mood {
            Mood::RefusingData => {
                stream.write_all(b"554 5.6.0 not a mail for me\r\n").await?;
                return Ok(true);
            }
            Mood::Stumbling if is_first => {
                stream.write_all(b"451 4.3.0 stumbled, come back later\r\n").await?;
                return Ok(true);
            }
            Mood::Silent if is_first || *self.mood.borrow() == Mood::Silent => {
                return std::future::pending().await;
            }
            Mood::Holding => {
                let mut mood = self.mood.subscribe();
                let _ = mood.wait_for(|mood| *mood != Mood::Holding).await;
            }
            _ => {}
        }
        // Nothing is known of the answer before it is written: the test may end this conversation at any moment.
        let id = letter.id.clone();
        self.unanswered.lock().unwrap().push(id.clone());
        self.letters.send_modify(|letters| letters.push(letter));
        if mood == Mood::Losing && is_first {
            return Ok(false);
        }
        stream.write_all(b"250 taken\r\n").await?;
        let mut unanswered = self.unanswered.lock().unwrap();
        if let Some(place) = unanswered.iter().rposition(|other| *other == id) {
            unanswered.remove(place);
        }
        Ok(true)
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
