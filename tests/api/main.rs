//! The API as its clients see it: one file a family, each story told on both compositions where it makes sense.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![expect(unreachable_pub, reason = "what `support` offers is marked as such; there is no crate around it")]

mod support;

mod abuse;
mod access;
mod account;
mod authentication;
mod backup;
mod breached_passwords;
mod browser;
mod budgets;
mod canary;
mod cookie_mode;
mod edge;
mod events;

mod faults;
mod fuzz;
mod keys;
mod limits;
mod logging;
mod mail_desk;
mod mailing;
mod many_sessions;
mod model;
mod origins;
mod overload;
mod owner;
mod pages;
mod panics;
mod passwords;
mod peppers;
mod program;
mod rate_limiter;
mod recovery;
mod registration;
mod repeated_events;
mod revocation;
mod session_cap;
mod sessions;
mod storm;
mod transport;
mod trusted_documents;
mod users;
mod verifying;
