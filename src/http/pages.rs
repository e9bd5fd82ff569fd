//! Pages for people: GraphiQL, and the mailbox of the zero-configuration mode. Everything they need is in the binary.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Server;
use super::error::HttpError;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What GraphiQL may do: run our scripts and speak to us. The hash is that of the one style that its dialogs put into the
/// page; `vendor/PROVENANCE.md` says how to find that of another version.
const GRAPHIQL_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='; img-src data:; font-src data:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What the mailbox may do. Mails have inline styles; they are shown in frames that inherit this policy and run no script.
const MAILBOX_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A file of a page: its name, its media type, and its content, compressed if the name in this tree ends in `.gz`.
struct Asset(&'static str, &'static str, Content);

enum Content {
    Plain(&'static [u8]),
    Gzip(&'static [u8]),
}

use Content::{Gzip, Plain};

const GRAPHIQL: [Asset; 6] = [
    Asset("authql.js", SCRIPT, Plain(include_bytes!("pages/graphiql/authql.js"))),
    Asset("authql.css", CSS, Plain(include_bytes!("pages/graphiql/authql.css"))),
    Asset("graphiql.min.js", SCRIPT, Gzip(include_bytes!("pages/graphiql/vendor/graphiql.min.js.gz"))),
    Asset("graphiql.min.css", CSS, Gzip(include_bytes!("pages/graphiql/vendor/graphiql.min.css.gz"))),
    Asset(
        "react.production.min.js",
        SCRIPT,
        Gzip(include_bytes!("pages/graphiql/vendor/react.production.min.js.gz")),
    ),
    Asset(
        "react-dom.production.min.js",
        SCRIPT,
        Gzip(include_bytes!("pages/graphiql/vendor/react-dom.production.min.js.gz")),
    ),
];

const MAILBOX: [Asset; 2] = [
    Asset("mailbox.js", SCRIPT, Plain(include_bytes!("pages/mailbox.js"))),
    Asset("mailbox.css", CSS, Plain(include_bytes!("pages/mailbox.css"))),
];

/// The page of GraphiQL.
pub(super) fn graphiql() -> Response {
    page(include_str!("pages/graphiql/index.html"), GRAPHIQL_POLICY)
}

pub(super) async fn graphiql_asset(Path(name): Path<String>) -> Result<Response, HttpError> {
    asset(&GRAPHIQL, &name)
}

/// Lets only those pass who asked for this machine by its own name: a page elsewhere could have its name resolved to this
/// machine, and read the mails with its visitor's browser (DNS rebinding).
pub(super) async fn for_this_machine(request: Request, next: Next) -> Result<Response, HttpError> {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if ["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        Ok(next.run(request).await)
    } else {
        Err(HttpError::NotFound)
    }
}

/// The page of the mailbox.
pub(super) async fn mailbox() -> Response {
    page(include_str!("pages/mailbox.html"), MAILBOX_POLICY)
}

pub(super) async fn mailbox_asset(Path(name): Path<String>) -> Result<Response, HttpError> {
    asset(&MAILBOX, &name)
}

/// The mails that the page shows, also for tests of front ends.
pub(super) async fn mailbox_json(State(server): State<Server>) -> Result<Response, HttpError> {
    let mailbox = server.services.mailbox.as_ref().ok_or(HttpError::NotFound)?;
    let mails = mailbox.list().await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the mailbox cannot be shown");
        HttpError::Failed
    })?;
    Ok(Json(json!({"mails": mails})).into_response())
}

fn page(html: &'static str, policy: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HTML), (header::CONTENT_SECURITY_POLICY, policy)], html).into_response()
}

fn asset(assets: &[Asset], name: &str) -> Result<Response, HttpError> {
    let Asset(_, media_type, content) =
        assets.iter().find(|asset| asset.0 == name).ok_or(HttpError::NotFound)?;
    let media_type = (header::CONTENT_TYPE, *media_type);
    Ok(match content {
        Plain(bytes) => ([media_type], *bytes).into_response(),
        // Sent as it is stored: every browser that GraphiQL runs in takes it.
        Gzip(bytes) => {
            let encoding: (HeaderName, &str) = (header::CONTENT_ENCODING, "gzip");
            ([media_type, encoding], *bytes).into_response()
        }
    })
}
