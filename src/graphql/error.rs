//! Top-level errors: their codes, and what they leave out.

use std::time::Duration;

use async_graphql::{Context, Error, ErrorExtensions};

use super::context::{request, services};
use crate::domain::RequestId;
use crate::services::{AccessError, RateLimited, Unexpected};

/// How many seconds to wait where nobody can tell.
pub const SOON: u64 = 1;

/// The extension of an error that says how many seconds to wait.
pub const RETRY_AFTER: &str = "retryAfterSeconds";

/// A request that needs a session and has none: the signal to refresh, or to show the login form.
pub(super) fn unauthenticated(reason: &'static str, error: &AccessError) -> Error {
    Error::new(sentence(error)).extend_with(|_, extensions| {
        extensions.set("code", "UNAUTHENTICATED");
        extensions.set("reason", reason);
    })
}

/// A request too many of somebody who needs a session, or has none: a field that is no union has no other way to say so.
pub(super) fn rate_limited(limited: RateLimited) -> Error {
    Error::new(sentence(&limited)).extend_with(|_, extensions| {
        extensions.set("code", "RATE_LIMITED");
        if let RateLimited::Wait(wait) = limited {
            extensions.set(RETRY_AFTER, wait_seconds(wait));
        }
    })
}

/// Arguments that contradict each other, or are out of their bounds: a mistake in the client's code.
pub(super) fn bad_user_input(message: impl Into<String>) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", "BAD_USER_INPUT"))
}

/// The text of an error as a sentence for people: errors themselves begin small and end without a stop.
#[must_use]
pub fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text + "."
}

/// A wait in whole seconds, rounded up: whoever comes back then does not come too early.
pub(super) fn wait_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A failure of ours: logged here with its cause, told to the client by code and request id only.
pub(super) fn unexpected(ctx: &Context<'_>, error: &Unexpected) -> Error {
    let request_id = request(ctx).caller.request_id.as_ref().map(RequestId::as_str);
    services(ctx).failures.log_request(error);
    let mut wait = None;
    let (code, message) = match error {
        Unexpected::Unavailable { .. } => {
            wait = Some(SOON);
            ("SERVICE_UNAVAILABLE", "The service cannot do this at the moment. Try again soon.")
        }
        Unexpected::Overloaded { retry_after, .. } => {
            wait = Some(wait_seconds(*retry_after).max(SOON));
            ("SERVICE_UNAVAILABLE", "The service has too much to do at the moment. Try again in a while.")
        }
        Unexpected::Fault { .. } => ("INTERNAL_SERVER_ERROR", "Something went wrong on our side."),
    };
    Error::new(message).extend_with(|_, extensions| {
        extensions.set("code", code);
        extensions.set("requestId", request_id.unwrap_or_default());
        if let Some(seconds) = wait {
            extensions.set(RETRY_AFTER, seconds);
        }
    })
}
