//! What is logged while a test does something.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

/// The lines that this thread has logged, at `info` and above.
#[derive(Debug)]
pub(crate) struct Lines(Vec<String>);

thread_local! {
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Lines {
    /// One subscriber serves all threads: with one each, whether a line is wanted would be remembered from a thread that has
    /// none.
    pub(crate) fn of(work: impl FnOnce()) -> Self {
        static START: Once = Once::new();
        START.call_once(|| {
            let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_ansi(false);
            tracing::subscriber::set_global_default(lines.with_writer(|| Sink).finish()).unwrap();
        });
        WRITTEN.take();
        work();
        let text = String::from_utf8(WRITTEN.take()).unwrap();
        Self(text.lines().map(str::to_owned).collect())
    }

    /// How many have this text.
    pub(crate) fn with(&self, text: &str) -> usize {
        self.0.iter().filter(|line| line.contains(text)).count()
    }
}

struct Sink;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WRITTEN.with_borrow_mut(|written| written.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
