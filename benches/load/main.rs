//! What the whole server does, on this machine: `cargo bench --bench load`. Starts the program as often as it needs it, with
//! nothing configured but Redis where there is one.
//!
//! Its parts: `-- attack`, what it does under attack; `-- honest`, what being prepared for that costs others; `-- oracle`, what the
//! time of an answer tells; `-- worst`, the costliest value of each argument; `-- owner`, what the owner of an account notices.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

mod attack;
mod honest;
mod latency;
mod oracle;
mod owner;
mod server;
mod worst;

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
        if is_wanted("worst") {
            worst::run().await;
        }
        if is_wanted("owner") {
            owner::run().await;
        }
    });
}
