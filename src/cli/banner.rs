//! What a person reads after a start.

use std::net::SocketAddr;
use std::path::PathBuf;

use authql::config::Config;

/// What there is to tell.
pub(crate) struct Facts {
    address: SocketAddr,
    wanted: SocketAddr,
    has_graphiql: bool,
    has_mailbox: bool,
    data_dir: PathBuf,
}

impl Facts {
    /// Of a server that listens on `address`.
    pub(crate) fn of(config: &Config, address: SocketAddr) -> Self {
        Self {
            address,
            wanted: config.http.listen,
            has_graphiql: config.explore.graphiql,
            has_mailbox: config.mail.smtp_url.is_none(),
            data_dir: config.stores.data_dir.clone(),
        }
    }
}

/// Prints the addresses, and a first request to paste. `postgres` is the version of the private one.
pub(crate) fn print(facts: &Facts, postgres: Option<u32>) {
    let url = format!("http://{}", facts.address);
    println!("\nauthql {} is running.\n", env!("CARGO_PKG_VERSION"));
    println!("  GraphQL   {url}/graphql");
    if facts.has_graphiql {
        println!("  GraphiQL  {url}/graphql   (the same, in a browser)");
    }
    if facts.has_mailbox {
        println!("  Mailbox   {url}/mailbox   (mails are shown here instead of being sent)");
    }
    if let Some(version) = postgres {
        println!(
            "  Data      {}   (a private PostgreSQL {version}; survives restarts)",
            facts.data_dir.display()
        );
    }
    if facts.address.port() != facts.wanted.port() {
        println!("\n  Port {} was taken, so this is port {}.", facts.wanted.port(), facts.address.port());
    }
    println!(
        "\nTry it:\n\n  curl {url}/graphql -H 'Content-Type: application/json' -d '{{\"query\": \"mutation {{ register(input: \
         {{ email: \\\"ada@example.com\\\", password: \\\"correct horse battery staple\\\" }}) {{ __typename }} }}\"}}'\n"
    );
}
