//! A mail as its reader sees it, wherever it arrived.

use std::time::{Duration, Instant};

use mail_parser::MessageParser;
use serde_json::Value;

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The id of the outbox row.
    pub id: String,
    pub from: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Letter {
    /// Reads the source of a mail.
    pub fn parse(source: &[u8]) -> Self {
        let message = MessageParser::default().parse(source).unwrap();
        let address = |list: Option<&mail_parser::Address>| {
            list.and_then(|list| list.first()).and_then(|one| one.address()).unwrap_or_default().to_owned()
        };
        Self {
            id: message.message_id().unwrap().split('@').next().unwrap().to_owned(),
            from: address(message.from()),
            to: address(message.to()),
            subject: message.subject().unwrap().to_owned(),
            text: message.body_text(0).unwrap().replace("\r\n", "\n"),
            html: message.body_html(0).unwrap().replace("\r\n", "\n"),
        }
    }

    /// The token that its link carries for this mutation.
    pub fn token(&self, mutation: &str) -> String {
        let (_, rest) = self.text.split_once(&format!("/confirm#{mutation}=")).expect("a link");
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// Reads a mail of the mailbox page.
    pub fn from_json(mail: &Value) -> Self {
        let text = |name: &str| mail[name].as_str().unwrap().to_owned();
        Self {
            id: text("id"),
            from: text("from").rsplit('<').next().unwrap().trim_end_matches('>').to_owned(),
            to: text("to"),
            subject: text("subject"),
            text: text("text"),
            html: text("html"),
        }
    }
}

/// Asks again until there is an answer, for twenty seconds at most.
///
/// # Panics
/// When there is none by then.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "not within twenty seconds: {what}");
        tokio::task::yield_now().await;
    }
}
