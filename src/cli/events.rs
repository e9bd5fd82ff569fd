//! `authql events`: what an operator can find out about what happened.

use authql::adapters::clock::SystemClock;
use authql::app;
use authql::config::{Config, read_duration};
use authql::domain::{EmailAddress, EventFilter, EventKind, EventSubject, KeyId, RequestId, SecurityEvent};
use authql::ports::Clock;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::Outcome;

#[derive(Args)]
pub(super) struct Arguments {
    /// Those of one account only: its e-mail address, or its id, which is the `sub` of its tokens and in the log
    #[arg(long, value_name = "EMAIL|ID", value_parser = account)]
    user: Option<EventSubject>,
    /// Those of one kind only, such as `login_failed`
    #[arg(long, value_parser = kind)]
    kind: Option<EventKind>,
    /// Those of the last so many seconds, minutes, hours or days only, such as `1h`
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<TimeDelta>,
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, arguments: Arguments) -> Outcome {
    let history = app::events(config).await?;
    let now = SystemClock::new().now();
    let filter = EventFilter {
        account: arguments.user,
        kind: arguments.kind,
        // Longer ago than there are dates is since ever.
        since: arguments.since.and_then(|time| now.checked_sub_signed(time)),
        limit: arguments.limit,
    };
    let events = history.search(&filter).await?;
    if arguments.json {
        for event in &events {
            say!("{}", as_json(event));
        }
        return Ok(());
    }
    say!(
        "{:<20}  {:<24}  {:>5}  {:<36}  {:<36}  {:<15}  REQUEST",
        "TIME",
        "KIND",
        "TIMES",
        "OF",
        "SESSION",
        "FROM"
    );
    for event in &events {
        say!("{}", as_line(event));
    }
    Ok(())
}

fn as_line(event: &SecurityEvent) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    format!(
        "{:<20}  {:<24}  {:>5}  {:<36}  {:<36}  {:<15}  {}",
        time(event.occurred_at),
        event.kind.as_str(),
        event.times,
        or_dash(subject(event)),
        or_dash(event.session_id.map(|id| id.to_string())),
        or_dash(event.device.address().map(|address| address.to_string())),
        or_dash(event.request_id.as_ref().map(ToString::to_string)),
    )
}

fn as_json(event: &SecurityEvent) -> serde_json::Value {
    json!({
        "id": event.id.to_string(),
        "time": event.occurred_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "kind": event.kind.as_str(),
        "outcome": event.kind.outcome().as_str(),
        "times": event.times,
        "user": event.user_id.map(|id| id.to_string()),
        "session": event.session_id.map(|id| id.to_string()),
        "key": event.key_id.as_ref().map(KeyId::as_str),
        "address": event.device.address().map(|address| address.to_string()),
        "user_agent": event.device.user_agent(),
        "request": event.request_id.as_ref().map(RequestId::as_str),
    })
}

/// The account, or the key.
fn subject(event: &SecurityEvent) -> Option<String> {
    let user = event.user_id.map(|id| id.to_string());
    user.or_else(|| event.key_id.as_ref().map(|id| id.as_str().to_owned()))
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn account(text: &str) -> Result<EventSubject, String> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(EventSubject::Account(id.into()));
    }
    EmailAddress::parse(text)
        .map(EventSubject::Address)
        .map_err(|_| "it is neither an e-mail address nor the id of an account".to_owned())
}

fn kind(text: &str) -> Result<EventKind, String> {
    EventKind::parse(text).ok_or_else(|| {
        let all: Vec<&str> = EventKind::ALL.into_iter().map(EventKind::as_str).collect();
        format!("the kinds are {}", all.join(", "))
    })
}

fn duration(text: &str) -> Result<TimeDelta, String> {
    read_duration(text).ok_or_else(|| "write it as 90s, 15m, 12h or 30d".to_owned())
}
