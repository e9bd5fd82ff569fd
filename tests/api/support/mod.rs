//! Everything that tests start: a private PostgreSQL, Redis, an SMTP peer, and authql itself.

mod app;
mod certificate;
mod clock;
mod leash;
mod load;
mod mail;
mod person;
mod postgres;
pub mod program;
mod proxy;
mod redis;
mod smtp;

pub use app::{Mode, TestApp};
pub use certificate::make_certificate;
pub use clock::TestClock;
pub use leash::Leash;
pub use load::quiet_and_under_load;
pub use mail::eventually;
pub use person::{LOGIN, LOGOUT, Person, REFRESH, Tokens};
pub use program::Program;
pub use proxy::{Line, Proxy, Target};
pub use redis::free_port;
pub use smtp::{Mood, SmtpSink};

/// A setting for the whole run: `./dev test` makes a missing server a failure.
pub const STRICT: &str = "TESTS_NEED_SERVERS";

/// The program of that name, or `None` after saying that the test is left out.
///
/// # Panics
/// Where `./dev test` promised that it is there.
pub fn find_program(name: &str) -> Option<std::path::PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .chain(["/usr/sbin".into(), "/opt/homebrew/bin".into()])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os(STRICT).is_none(), "{name} is missing, and {STRICT} is set");
        println!("left out: {name} is not installed here (./dev test installs it)");
    }
    found
}

/// Tells each story twice: in the zero-configuration composition, and on real servers. `with` further settings where they
/// are needed.
macro_rules! in_both_modes {
    (with $settings:expr; $($(#[$meta:meta])* async fn $name:ident($app:ident: TestApp) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn story($app: TestApp) $body

            #[tokio::test]
            async fn zero_configuration() {
                story(TestApp::start_with(Mode::ZeroConfiguration, $settings).await.unwrap()).await;
            }

            #[tokio::test]
            async fn servers() {
                if let Some(app) = TestApp::start_with(Mode::Servers, $settings).await {
                    story(app).await;
                }
            }
        }
    )+};
    ($($stories:tt)+) => { in_both_modes! { with &[]; $($stories)+ } };
}

pub(crate) use in_both_modes;
