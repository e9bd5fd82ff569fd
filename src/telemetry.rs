//! The log: for people on a terminal and as JSON lines elsewhere. Nobody waits for it, and panics are lines of it.

mod panics;
mod queue;

use std::io::{self, IsTerminal, Write};
use std::panic::set_hook;
use std::sync::Arc;

use tracing::callsite::rebuild_interest_cache;
use tracing::subscriber::with_default;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

pub use self::queue::LogGuard;

use self::queue::Queue;
use crate::config::{LogConfig, LogFormat};

/// Libraries that log what they send, below `info`: mails, to whom, and the tokens in them (docs/security.md AUD-3, AUD-4).
const TALKATIVE: [&str; 1] = ["lettre"];

/// Starts logging to `sink`, which is standard error outside tests. To be called once. What is waiting when the guard is
/// dropped is written first.
///
/// # Errors
/// Where the system gives no thread for it.
pub fn start(config: &LogConfig, sink: impl Write + IsTerminal + Send + 'static) -> io::Result<LogGuard> {
    let is_terminal = sink.is_terminal();
    let style = match config.format {
        LogFormat::Human => Style::Human { has_colours: is_terminal },
        LogFormat::Auto if is_terminal => Style::Human { has_colours: true },
        LogFormat::Json | LogFormat::Auto => Style::Json,
    };
    let (queue, guard) = queue::start(sink, move |dropped| style.line_about(dropped))?;
    registry()
        .with(EnvFilter::new(&config.filter))
        .with(filter_fn(is_discreet))
        .with(style.lines(queue))
        .init();
    set_hook(Box::new(panics::log));
    Ok(guard)
}

/// How a line looks.
#[derive(Clone, Copy)]
enum Style {
    Human { has_colours: bool },
    Json,
}

impl Style {
    fn lines<S>(self, queue: Arc<Queue>) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let layer = fmt::layer().with_writer(queue);
        match self {
            Self::Human { has_colours } => layer.with_ansi(has_colours).with_target(false).compact().boxed(),
            Self::Json => layer.with_ansi(false).json().flatten_event(true).boxed(),
        }
    }

    /// What stands where lines are missing, whatever `AUTHQL_LOG` says.
    fn line_about(self, dropped: u64) -> Vec<u8> {
        let queue = Arc::new(Queue::default());
        with_default(registry().with(self.lines(Arc::clone(&queue))), || {
            tracing::warn!(dropped, "lines of the log were dropped");
        });
        // The library would go on as if somebody wanted every line of it.
        rebuild_interest_cache();
        queue.take_line()
    }
}

/// Whether something may be logged at all, whatever `AUTHQL_LOG` says.
fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !TALKATIVE.contains(&library)
}
