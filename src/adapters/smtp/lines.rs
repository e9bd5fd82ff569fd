//! Lines to the mail server, through lettre. Each step of a conversation has a time limit, and no line on which an answer is
//! still to come is used again: the next mail would take it for its own.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo};
use lettre::{Address, Message};

use super::server::MailServer;

/// How long a line is kept open for the next mail.
const IDLE: Duration = Duration::from_mins(1);

/// How long the server may take for each step.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimits {
    /// Connecting to one address of the server. All of them, and its greeting, have the time of a reply more.
    pub(super) connection: Duration,
    /// A reply, the handshake of TLS included where one is due.
    pub(super) reply: Duration,
    /// Taking a mail, after its last byte. RFC 5321 4.5.3.2.6 asks for patience: who gives up too early sends a duplicate.
    pub(super) acceptance: Duration,
}

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server refused the mail, or the line broke.
    #[error(transparent)]
    Smtp(#[from] SmtpError),
    /// The server refused us, or is not there: no mail is at fault.
    #[error("no line to the mail server")]
    NoLine(#[source] Box<Failure>),
    /// It took too long.
    #[error("the mail server took longer than {} s to {step}", limit.as_secs_f32())]
    TooSlow {
        /// What it had to do.
        step: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// It cannot take this mail.
    #[error("the mail server does not know {0}, which this mail needs")]
    Lacks(&'static str),
}

impl Failure {
    /// Whether nothing is left to be said on the line: a 421 is the server's last word (RFC 5321 3.8).
    fn leaves_the_line_usable(&self) -> bool {
        match self {
            Self::Smtp(error) => error.status().is_some_and(|code| code.to_string() != "421"),
            Self::TooSlow { .. } | Self::NoLine(_) => false,
            Self::Lacks(_) => true,
        }
    }
}

/// A mail server, and the lines to it on which nothing is being said.
pub(super) struct Lines {
    server: MailServer,
    hello: ClientId,
    limits: TimeLimits,
    idle: Arc<Idle>,
}

#[derive(Default)]
struct Idle(Mutex<Vec<(AsyncSmtpConnection, Instant)>>);

impl Lines {
    /// Lines to this server, which is told that `hello` calls. Connects when the first mail is sent.
    pub(super) fn new(server: MailServer, hello: ClientId, limits: TimeLimits) -> Self {
        let idle = Arc::<Idle>::default();
        tokio::spawn(close_old(Arc::downgrade(&idle), limits.reply));
        Self { server, hello, limits, idle }
    }

    /// Hands a mail over. Dropping the future cuts the line.
    pub(super) async fn send(&self, message: &Message) -> Result<(), Failure> {
        let mut line = self.line().await?;
        let sent = self.hand_over(message, &mut line).await;
        if sent.as_ref().err().is_none_or(Failure::leaves_the_line_usable) {
            self.idle.lock().push((line, Instant::now()));
        }
        sent
    }

    /// A line that is open, or a new one.
    async fn line(&self) -> Result<AsyncSmtpConnection, Failure> {
        while let Some(mut line) = self.idle.pop() {
            // Also ends what a refusal has left open.
            match within(self.limits.reply, "answer RSET", line.command(Rset)).await {
                Ok(_) => return Ok(line),
                // The others lead to the same silence.
                Err(Failure::TooSlow { .. }) => self.idle.lock().clear(),
                Err(_) => {}
            }
        }
        self.connect().await.map_err(|failure| Failure::NoLine(Box::new(failure)))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let MailServer { host, port, tls, credentials } = &self.server;
        let from_the_start = if let Tls::Wrapper(tls) = tls { Some(tls.clone()) } else { None };
        let TimeLimits { connection, reply, .. } = self.limits;
        let address = (host.as_str(), *port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(address, Some(connection), &self.hello, from_the_start, None);
        let mut line = within(connection + reply, "greet", connecting).await?;
        match tls {
            Tls::Opportunistic(tls) if line.can_starttls() => {
                within(reply, "start TLS", line.starttls(tls.clone(), &self.hello)).await?;
            }
            Tls::Required(tls) => {
                within(reply, "start TLS", line.starttls(tls.clone(), &self.hello)).await?;
            }
            Tls::None | Tls::Opportunistic(_) | Tls::Wrapper(_) => {}
        }
        if let Some(credentials) = credentials {
            within(reply, "answer AUTH", line.auth(DEFAULT_MECHANISMS, credentials)).await?;
        }
        Ok(line)
    }

    async fn hand_over(&self, message: &Message, line: &mut AsyncSmtpConnection) -> Result<(), Failure> {
        let TimeLimits { reply, acceptance, .. } = self.limits;
        let (envelope, source) = (message.envelope(), message.formatted());
        let parameters = parameters(line.server_info(), envelope, &source)?;
        let mail = Mail::new(envelope.from().cloned(), parameters);
        within(reply, "answer MAIL", line.command(mail)).await?;
        for recipient in envelope.to() {
            within(reply, "answer RCPT", line.command(Rcpt::new(recipient.clone(), Vec::new()))).await?;
        }
        within(reply, "answer DATA", line.command(Data)).await?;
        within(acceptance, "take the mail", line.message(&source)).await.map(drop)
    }
}

impl Idle {
    fn lock(&self) -> MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line that was used last.
    fn pop(&self) -> Option<AsyncSmtpConnection> {
        self.lock().pop().map(|(line, _)| line)
    }
}

/// Closes lines that nobody has used for a while, for as long as there is somebody who could.
async fn close_old(idle: Weak<Idle>, limit: Duration) {
    loop {
        tokio::time::sleep(IDLE / 2).await;
        let Some(idle) = idle.upgrade() else { return };
        let old: Vec<_> = idle.lock().extract_if(.., |(_, since)| since.elapsed() >= IDLE).collect();
        for (mut line, _) in old {
            // Politeness: it is closed all the same.
            let _ = within(limit, "answer QUIT", line.quit()).await;
        }
    }
}

async fn within<T>(
    limit: Duration,
    step: &'static str,
    future: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, Failure> {
    let result = tokio::time::timeout(limit, future).await;
    Ok(result.map_err(|_| Failure::TooSlow { step, limit })??)
}

/// What the server is told of the mail in advance (RFC 6531, RFC 6152).
fn parameters(
    server: &ServerInfo,
    envelope: &Envelope,
    source: &[u8],
) -> Result<Vec<MailParameter>, Failure> {
    let mut parameters = Vec::new();
    let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    if !envelope.from().into_iter().chain(envelope.to()).all(is_ascii) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(Failure::Lacks("SMTPUTF8"));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !source.is_ascii() {
        if !server.supports_feature(Extension::EightBitMime) {
            return Err(Failure::Lacks("8BITMIME"));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests;
