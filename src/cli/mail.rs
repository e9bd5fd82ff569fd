//! `authql mail`: what an operator can do about mails.

use std::sync::Arc;

use authql::adapters::clock::SystemClock;
use authql::app;
use authql::config::Config;
use authql::domain::{MailId, MailRecord, MailState};
use authql::services::MailDeskError;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde::Serialize;
use uuid::Uuid;

use super::Outcome;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List mails, the newest first
    ///
    /// `pending` is still to be sent, for the first time or again; `sent` was taken by its server; `dead` was given up, because
    /// its server refused it for good or for two days; `suppressed` is not sent on purpose, such as one to an address without
    /// an account. The last column says when that was, or when a pending one is tried next.
    List {
        /// Only those in this state.
        #[arg(long, value_parser = PossibleValuesParser::new(MailState::ALL.map(MailState::as_str)).try_map(state))]
        state: Option<MailState>,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// As JSON, one object a line, with the server's reply.
        #[arg(long)]
        json: bool,
    },
    /// Show all that is known of a mail, with its server's last reply
    Show {
        /// The id, as `authql mail list` prints it; also its `Message-ID`, without what follows the `@`.
        #[arg(value_parser = id)]
        id: MailId,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Try a dead mail again, within five seconds
    ///
    /// It is tried for what is left of the two days since it was queued, or once if they are over. One whose link no longer
    /// works, or whose recipient has been forgotten, stays dead.
    Retry(Which),
    /// End a pending mail for good
    ///
    /// One that a worker is handing over at this very moment may still arrive.
    Drop {
        /// The id, as `authql mail list` prints it.
        #[arg(value_parser = id)]
        id: MailId,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// The id, as `authql mail list` prints it.
    #[arg(value_parser = id)]
    id: Option<MailId>,
    /// Every dead mail, such as after a fault of the mail server.
    #[arg(long)]
    all_dead: bool,
}

pub(super) async fn run(config: &Config, command: Command) -> Outcome {
    let desk = app::mails(config, Arc::new(SystemClock::new())).await?;
    match command {
        Command::List { state, limit, json } => {
            let mails = desk.list(state, limit).await?;
            if !json {
                say!("{}", columns("ID", "STATE", "KIND", "TRIES", "TO", "SINCE, OR NEXT TRY"));
            }
            for mail in mails {
                say!("{}", if json { as_json(&mail)? } else { as_line(&mail) });
            }
        }
        Command::Show { id, json } => {
            let mail = desk.show(id).await.map_err(|error| explain(id, error))?;
            say!("{}", if json { as_json(&mail)? } else { as_page(&mail) });
        }
        Command::Retry(Which { id: Some(id), .. }) => {
            desk.retry(id).await.map_err(|error| explain(id, error))?;
            say!("The mail {id} is tried again.");
        }
        Command::Retry(Which { id: None, .. }) => {
            say!("{} mails are tried again.", desk.retry_all().await?);
        }
        Command::Drop { id } => {
            desk.suppress(id).await.map_err(|error| explain(id, error))?;
            say!("The mail {id} will not be sent.");
        }
    }
    Ok(())
}

fn id(text: &str) -> Result<MailId, uuid::Error> {
    text.parse::<Uuid>().map(MailId::from)
}

#[expect(clippy::needless_pass_by_value, reason = "clap hands over what it has parsed")]
fn state(name: String) -> Result<MailState, &'static str> {
    MailState::parse(&name).ok_or("there is no such state")
}

fn explain(id: MailId, error: MailDeskError) -> Box<dyn std::error::Error> {
    match error {
        MailDeskError::Unexpected(error) => error.into(),
        error => format!("{id}: {error}").into(),
    }
}

fn columns(id: &str, state: &str, kind: &str, tries: &str, to: &str, when: &str) -> String {
    format!("{id:<36}  {state:<10}  {kind:<22}  {tries:>5}  {when:<20}  {to}")
}

fn as_line(mail: &MailRecord) -> String {
    let to = mail.recipient.as_deref().map_or_else(|| "-".to_owned(), harmless);
    let when = time(mail.settled_at.unwrap_or(mail.due_at));
    columns(
        &mail.id.to_string(),
        mail.state.as_str(),
        &harmless(&mail.kind),
        &mail.attempts.to_string(),
        &to,
        &when,
    )
}

fn as_page(mail: &MailRecord) -> String {
    let (end, when) = match mail.settled_at {
        Some(at) => (mail.state.as_str(), at),
        None => ("next try", mail.due_at),
    };
    let (label, reason) = match mail.state {
        MailState::Suppressed => ("reason", &mail.reason),
        MailState::Pending | MailState::Sent | MailState::Dead => ("reply", &mail.reason),
    };
    let lines = [
        ("id", mail.id.to_string()),
        ("kind", harmless(&mail.kind)),
        ("to", mail.recipient.as_deref().map_or_else(|| "-".to_owned(), harmless)),
        ("state", mail.state.as_str().to_owned()),
        ("tries", mail.attempts.to_string()),
        ("queued", time(mail.queued_at)),
        (end, time(when)),
        (label, reason.as_deref().map_or_else(|| "-".to_owned(), harmless)),
    ];
    lines.map(|(name, text)| format!("{name:<10}  {text}")).join("\n")
}

/// A mail as scripts read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    id: String,
    kind: &'a str,
    to: Option<&'a str>,
    state: &'a str,
    attempts: u32,
    queued_at: DateTime<Utc>,
    next_try_at: Option<DateTime<Utc>>,
    settled_at: Option<DateTime<Utc>>,
    reason: Option<&'a str>,
}

fn as_json(mail: &MailRecord) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Json {
        id: mail.id.to_string(),
        kind: &mail.kind,
        to: mail.recipient.as_deref(),
        state: mail.state.as_str(),
        attempts: mail.attempts,
        queued_at: mail.queued_at,
        next_try_at: mail.settled_at.is_none().then_some(mail.due_at),
        settled_at: mail.settled_at,
        reason: mail.reason.as_deref(),
    })
}

/// A text that somebody else wrote, such as a mail server, without what could steer a terminal.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
