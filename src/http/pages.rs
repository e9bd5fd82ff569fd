//! Pages for people: GraphiQL, where links of mails lead, and the mailbox of the zero-configuration mode. Everything they
//! need is in the binary.

pub(super) mod confirm;
pub(super) mod mailbox;

use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

use super::error::HttpError;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// What GraphiQL may do: run our scripts and speak to us. The hash is that of the one style that its dialogs put into the
/// page; `vendor/PROVENANCE.md` says how to find that of another version.
const GRAPHIQL_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='; img-src data:; font-src data:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A file of a page: its name, its media type, and its content, compressed if the name in this tree ends in `.gz`.
struct Asset(&'static str, &'static str, Content);

enum Content {
    Plain(&'static [u8]),
    Gzip(&'static [u8]),
}

use Content::{Gzip, Plain};

/// What GraphiQL is made of, and under which licences: their texts go wherever the files go.
const GRAPHIQL: [Asset; 12] = [
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
    Asset("PROVENANCE.md", TEXT, Plain(include_bytes!("pages/graphiql/vendor/PROVENANCE.md"))),
    Asset("graphiql.LICENSE.txt", TEXT, Plain(include_bytes!("pages/graphiql/vendor/graphiql.LICENSE.txt"))),
    Asset("react.LICENSE.txt", TEXT, Plain(include_bytes!("pages/graphiql/vendor/react.LICENSE.txt"))),
    Asset(
        "react-dom.LICENSE.txt",
        TEXT,
        Plain(include_bytes!("pages/graphiql/vendor/react-dom.LICENSE.txt")),
    ),
    Asset(
        "Apache-2.0.LICENSE.txt",
        TEXT,
        Plain(include_bytes!("pages/graphiql/vendor/Apache-2.0.LICENSE.txt")),
    ),
    Asset(
        "fira-code.LICENSE.txt",
        TEXT,
        Plain(include_bytes!("pages/graphiql/vendor/fira-code.LICENSE.txt")),
    ),
];

/// The page of GraphiQL.
pub(super) fn graphiql() -> Response {
    page(include_str!("pages/graphiql/index.html"), GRAPHIQL_POLICY)
}

pub(super) async fn graphiql_asset(Path(name): Path<String>) -> Result<Response, HttpError> {
    asset(&GRAPHIQL, &name)
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
