//! The log: to standard error, for people on a terminal and as JSON lines elsewhere.

use std::io::{IsTerminal, stderr};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::{LogConfig, LogFormat};

/// Libraries that log what they send, below `info`: mails, to whom, and the tokens in them (SECURITY.md AUD-3, AUD-4).
const TALKATIVE: [&str; 1] = ["lettre"];

/// Starts logging. To be called once.
pub fn start(config: &LogConfig) {
    let layer = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    let for_people = match config.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => stderr().is_terminal(),
    };
    let layer = if for_people {
        layer.with_target(false).compact().boxed()
    } else {
        layer.json().flatten_event(true).boxed()
    };
    tracing_subscriber::registry()
        .with(EnvFilter::new(&config.filter))
        .with(filter_fn(is_discreet))
        .with(layer)
        .init();
}

/// Whether something may be logged at all, whatever `AUTHQL_LOG` says.
fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !TALKATIVE.contains(&library)
}
