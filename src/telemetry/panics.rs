//! Panics as lines of the log: where, in which request, and nothing of what was being worked on.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::thread;

/// Stands for a message that was put together while the program ran.
const WITHHELD: &str = "(withheld: it may have something secret in it)";

/// To be called for each panic, by the thread that panics. The request is that of the span it is in.
pub(super) fn log(panic: &PanicHookInfo<'_>) {
    // On request only (`RUST_BACKTRACE=1`): names of functions and files.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
    tracing::error!(
        panic.message = message(panic.payload()),
        panic.location = panic.location().map(tracing::field::display),
        panic.thread = thread::current().name(),
        panic.backtrace = backtrace.as_ref().map(tracing::field::debug),
        "a panic: there is a bug"
    );
}

/// What a panic says, if it stands in the source like that. Anything else may hold what a client or a server has sent, such
/// as the error that was unwrapped (docs/security.md AUD-3).
fn message(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD)
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn message_of(work: fn()) -> &'static str {
        message(&*catch_unwind(work).unwrap_err())
    }

    #[test]
    fn what_stands_in_the_source_is_shown() {
        assert_eq!(message_of(|| panic!("a lane is gone")), "a lane is gone");
        let nothing: fn() = || assert_eq!("".chars().next().unwrap(), 'x');
        assert_eq!(message_of(nothing), "called `Option::unwrap()` on a `None` value");
    }

    #[test]
    fn what_was_put_together_is_withheld() {
        let error: fn() = || serde_json::from_str(r#""postgres://authql:canary@db""#).unwrap();
        assert_eq!(message_of(error), WITHHELD);
        assert_eq!(message_of(|| panic!("no {}", String::from("canary"))), WITHHELD);
        assert_eq!(message_of(|| std::panic::panic_any(42)), WITHHELD);
    }
}
