//! Everything that tests start: a private PostgreSQL, Redis, an SMTP peer, and authql itself.

use std::path::PathBuf;

mod app;
mod certificate;
mod clock;
mod edge;
mod leash;
mod load;
mod mail;
mod node;
mod person;
mod postgres;
pub mod program;
mod proxy;
mod redis;
mod smtp;
mod tls_door;
mod visitor;

pub use app::{Mode, TestApp};
pub use certificate::make_certificate;
pub use clock::TestClock;
pub use edge::Edge;
pub use leash::Leash;
pub use load::quiet_and_under_load;
pub use mail::{Letter, eventually};
pub use node::Node;
pub use person::{LOGIN, LOGOUT, Person, REFRESH, Tokens};
pub use program::Program;
pub use proxy::{Line, Proxy, Target};
pub use redis::{TestRedis, free_port};
pub use smtp::{Mood, SmtpSink};
pub use tls_door::TlsDoor;
pub use visitor::{BEHIND_A_PROXY, Outcome, Visitor};

/// A setting for the whole run: `./dev test` makes a missing server a failure.
pub const STRICT: &str = "TESTS_NEED_SERVERS";

/// The program of that name, or `None` after saying that the test is left out.
///
/// # Panics
/// Where `./dev test` promised that it is there.
pub fn find_program(name: &str) -> Option<PathBuf> {
    find_one_of(&[name])
}

/// The same for a program that has several names.
pub fn find_one_of(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/opt/homebrew/bin".into()]).collect();
    let places = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = places.into_iter().find(|path| path.is_file());
    if found.is_none() {
        let name = names[0];
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
