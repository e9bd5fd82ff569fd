//! The queue in front of the log, so that whoever logs never waits for it (docs/security.md AUD-5).
//!
//! A pipe that nobody reads holds up whoever writes into it, and a full disk refuses. So a thread of its own writes, and what
//! does not fit into the queue is counted. The library tracing-appender counts lines instead of bytes, is silent about those
//! that a disk refuses, and prints to standard output at the end, which may be the same pipe.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The most that waits, in bytes.
const ROOM: usize = 1024 * 1024;

/// How long the end of the program waits for the log.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes what is pushed into the queue to `sink`, and what `report` makes of a number where so many lines are missing.
pub(super) fn start(
    sink: impl Write + Send + 'static,
    report: impl Fn(u64) -> Vec<u8> + Send + 'static,
) -> io::Result<(Arc<Queue>, LogGuard)> {
    let queue = Arc::new(Queue::default());
    let writer = Writer { sink, report, is_torn: false, missing: 0 };
    let read = Arc::clone(&queue);
    thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&read))?;
    Ok((Arc::clone(&queue), LogGuard(queue)))
}

/// Lines on their way to the log.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    bytes: usize,
    /// From when a line did not fit until half of the room is free: gaps are to be few.
    is_full: bool,
    /// Nothing more will come.
    is_closed: bool,
    /// Everything has been written.
    is_done: bool,
}

enum Entry {
    Line(Vec<u8>),
    /// So many lines are missing here.
    Gap(u64),
}

impl Queue {
    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        state.is_full |= state.bytes + line.len() > ROOM;
        if state.is_full {
            if let Some(Entry::Gap(missing)) = state.waiting.back_mut() {
                *missing += 1;
            } else {
                state.waiting.push_back(Entry::Gap(1));
            }
        } else {
            state.bytes += line.len();
            state.waiting.push_back(Entry::Line(line.to_vec()));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The first line that is waiting, or an empty one.
    pub(super) fn take_line(&self) -> Vec<u8> {
        match self.lock().pop() {
            Some(Entry::Line(line)) => line,
            Some(Entry::Gap(_)) | None => Vec::new(),
        }
    }

    /// Waits for the next entry. `None` when it was the last.
    fn next(&self) -> Option<Entry> {
        let state = self.lock();
        let is_idle = |state: &mut State| state.waiting.is_empty() && !state.is_closed;
        let mut state = self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        let next = state.pop();
        state.is_done = next.is_none();
        drop(state);
        self.changed.notify_all();
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop(&mut self) -> Option<Entry> {
        let entry = self.waiting.pop_front()?;
        if let Entry::Line(line) = &entry {
            self.bytes -= line.len();
        }
        self.is_full &= self.bytes > ROOM / 2;
        Some(entry)
    }
}

/// Each write is a whole line, as `tracing_subscriber::fmt` does it.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What writes to the log.
struct Writer<S, R> {
    sink: S,
    report: R,
    /// The last line was cut off in the middle.
    is_torn: bool,
    /// How many lines are missing, of which nobody has been told yet.
    missing: u64,
}

impl<S: Write, R: Fn(u64) -> Vec<u8>> Writer<S, R> {
    fn run(mut self, queue: &Queue) {
        while let Some(entry) = queue.next() {
            match entry {
                Entry::Line(line) if self.write(&line).is_err() => self.missing += 1,
                Entry::Line(_) => self.report_missing(),
                Entry::Gap(missing) => {
                    self.missing += missing;
                    self.report_missing();
                }
            }
        }
    }

    fn report_missing(&mut self) {
        if self.missing > 0 && self.write(&(self.report)(self.missing)).is_ok() {
            self.missing = 0;
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.sink.write_all(b"\n")?;
            self.is_torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.sink.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.is_torn = !rest.is_empty();
        }
        Ok(())
    }
}

/// Dropped, it waits until everything is written, or for a second if the log does not take it.
#[must_use = "what is still waiting at the end is lost without it"]
pub struct LogGuard(Arc<Queue>);

impl Drop for LogGuard {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        self.0.changed.notify_all();
        let is_busy = |state: &mut State| !state.is_done;
        drop(self.0.changed.wait_timeout_while(state, PATIENCE, is_busy));
    }
}

#[cfg(test)]
mod tests;
