//! What the whole server does, on this machine: `cargo bench --bench load`. Starts the program as often as it needs it, with
//! nothing configured but Redis where there is one.
//!
//! `-- attack`, `-- honest` and `-- oracle` are its parts: what it does under attack, what being prepared for that costs others, and what
//! the time of an answer tells.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

mod attack;
mod honest;
mod oracle;
mod server;

fn main() {
    let is_wanted = |part: &str| {
        let mut named = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
        named.peek().is_none() || named.any(|name| name == part)
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        if is_wanted("honest") {
            honest::run().await;
        }
        if is_wanted("oracle") {
            oracle::run().await;
        }
        if is_wanted("attack") {
            attack::run().await;
        }
    });
}
