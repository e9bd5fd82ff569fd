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

/// The addresses, and a first request to paste. `postgres` is the version of the private one.
pub(crate) fn text(facts: &Facts, postgres: Option<u32>) -> String {
    let url = format!("http://{}", facts.address);
    let version = env!("CARGO_PKG_VERSION");
    let mut lines = vec![format!("\nauthql {version} is running.\n"), format!("  GraphQL   {url}/graphql")];
    if facts.has_graphiql {
        lines.push(format!("  GraphiQL  {url}/graphql   (the same, in a browser)"));
    }
    if facts.has_mailbox {
        lines.push(format!("  Mailbox   {url}/mailbox   (mails are shown here instead of being sent)"));
    }
    if let Some(version) = postgres {
        let folder = facts.data_dir.display();
        lines.push(format!("  Data      {folder}   (a private PostgreSQL {version}; survives restarts)"));
    }
    let (wanted, port) = (facts.wanted.port(), facts.address.port());
    if port != wanted {
        lines.push(format!("\n  Port {wanted} was taken, so this is port {port}."));
    }
    lines.push(format!(
        "\nTry it:\n\n  curl {url}/graphql -H 'Content-Type: application/json' -d '{{\"query\": \"mutation {{ register(input: \
         {{ email: \\\"ada@example.com\\\", password: \\\"correct horse battery staple\\\" }}) {{ __typename }} }}\"}}'\n\n"
    ));
    lines.join("\n")
}
