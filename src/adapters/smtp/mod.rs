//! Mails over SMTP.

mod lines;
mod server;

use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};

use self::lines::{Failure, Lines, TimeLimits};
use self::server::MailServer;
use super::templates::Templates;
use crate::domain::{Language, Mail};
use crate::ports::{Mailer, SendError};

/// How long the server may take for each step of a mail.
const LIMITS: TimeLimits = TimeLimits {
    connection: Duration::from_secs(10),
    reply: Duration::from_secs(20),
    acceptance: Duration::from_mins(1),
};
/// How long a whole mail may take, however slow each step is: less than a worker has it for itself.
const MAIL_LIMIT: Duration = Duration::from_secs(100);

/// [`Mailer`] over SMTP.
pub struct SmtpMailer {
    lines: Lines,
    from: Mailbox,
    templates: Templates,
}

/// Why the settings of mail were refused, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSettingsError {
    /// `SMTP_URL` is not understood.
    #[error("SMTP_URL is not understood ({0}): write smtps://user:password@host or smtp://host?tls=required")]
    Url(String),
    /// `AUTHQL_MAIL_FROM` is not an address.
    #[error("AUTHQL_MAIL_FROM is not a sender: write it as `authql <no-reply@example.com>`")]
    From,
}

impl SmtpMailer {
    /// Mails through the server at `url`. Connects when the first mail is sent, over as many lines as mails are sent at once.
    ///
    /// `smtps://` speaks TLS from the start, `smtp://` insists on STARTTLS; `smtp://…?tls=none` does without, and
    /// `?tls=opportunistic` where the server has none.
    ///
    /// # Errors
    /// See [`SmtpSettingsError`].
    pub fn new(url: &str, templates: Templates) -> Result<Self, SmtpSettingsError> {
        let from = sender(templates.sender())?;
        let hello = ClientId::Domain(from.email.domain().to_owned());
        Ok(Self { lines: Lines::new(MailServer::parse(url)?, hello, LIMITS), from, templates })
    }

    fn message(&self, mail: &Mail) -> Result<Message, SendError> {
        let permanent = |error: &dyn std::fmt::Display| SendError::Permanent(error.to_string());
        let content = self.templates.render(mail).map_err(|error| permanent(&error))?;
        let address: Address = mail.to.mailbox().parse().map_err(|error| permanent(&error))?;
        let name = mail.name.as_ref().filter(|name| !name.could_pass_for_a_link());
        let name = name.map(|name| name.as_str().to_owned());
        let part = |kind, text| SinglePart::builder().header(kind).body(text);
        Message::builder()
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .date(mail.queued_at.into())
            .from(self.from.clone())
            .to(Mailbox::new(name, address))
            .subject(content.subject)
            // So that notes of absence do not answer it (RFC 3834 5).
            .raw_header(raw_header("Auto-Submitted", "auto-generated"))
            .raw_header(raw_header("Content-Language", Language::of(&mail.locale).tag()))
            .multipart(
                MultiPart::alternative()
                    .singlepart(part(ContentType::TEXT_PLAIN, content.text))
                    .singlepart(part(ContentType::TEXT_HTML, content.html)),
            )
            .map_err(|error| permanent(&error))
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        let message = self.message(mail)?;
        match tokio::time::timeout(MAIL_LIMIT, self.lines.send(&message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if is_final(&error) => Err(SendError::Permanent(full_text(&error))),
            Ok(Err(error)) => Err(SendError::Transient(full_text(&error))),
            Err(_) => Err(SendError::Transient("the mail took longer than 100 seconds".to_owned())),
        }
    }
}

fn raw_header(name: &'static str, text: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), text.to_owned())
}

/// Whether the server refused this mail for good, and not us: with a wrong password, or without TLS, no mail is at fault, and
/// all are tried again when the operator has mended it (RFC 4954 6, RFC 5321 4.2.3).
fn is_final(failure: &Failure) -> bool {
    let Failure::Smtp(error) = failure else { return false };
    let Some(code) = error.status() else { return false };
    error.is_permanent()
        && !["500", "501", "502", "503", "504", "523", "530", "534", "535", "538"]
            .contains(&code.to_string().as_str())
}

/// Reads `AUTHQL_MAIL_FROM`.
///
/// # Errors
/// [`SmtpSettingsError::From`].
pub fn sender(text: &str) -> Result<Mailbox, SmtpSettingsError> {
    text.parse().map_err(|_| SmtpSettingsError::From)
}

/// An error with its causes on one line.
fn full_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::templates::Stationery;

    #[tokio::test]
    async fn a_mail_says_that_a_program_wrote_it_and_in_which_language() {
        let stationery = Stationery {
            folder: None,
            sender: Some("Пчёлы <no-reply@example.org>".to_owned()),
            site: String::new(),
            frontend_url: "https://app.example.com".to_owned(),
        };
        let templates = Templates::load(&stationery).unwrap();
        let (mail, _) = templates.samples(Language::Russian).unwrap().remove(0);
        let mailer = SmtpMailer::new("smtp://localhost", templates).unwrap();
        let source = String::from_utf8(mailer.message(&mail).unwrap().formatted()).unwrap();
        let headers: Vec<&str> = source.split("\r\n\r\n").next().unwrap().lines().collect();
        for header in [
            &format!("Message-ID: <{}@example.org>", mail.id),
            "Auto-Submitted: auto-generated",
            "Content-Language: ru",
            "Date: Fri, 02 Jan 2026 15:04:00 +0000",
        ] {
            assert!(headers.contains(&header), "{source}");
        }
        assert!(source.is_ascii() && source.lines().all(|line| line.len() <= 998), "{source}");
    }
}
