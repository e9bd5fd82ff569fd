//! The mailbox of the zero-configuration mode: what would have been sent.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Content::Plain;
use super::{Asset, CSS, SCRIPT, page};
use crate::http::Server;
use crate::http::error::HttpError;

/// What the mailbox may do. Mails have inline styles, and an operator's templates have pictures; they are shown in frames that
/// inherit this policy and run no script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data: https:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const ASSETS: [Asset; 2] = [
    Asset("mailbox.js", SCRIPT, Plain(include_bytes!("mailbox.js"))),
    Asset("mailbox.css", CSS, Plain(include_bytes!("mailbox.css"))),
];

/// Lets only those pass who asked for this machine by its own name: a page elsewhere could have its name resolved to this
/// machine, and read the mails with its visitor's browser (DNS rebinding).
pub(in crate::http) async fn for_this_machine(request: Request, next: Next) -> Result<Response, HttpError> {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if ["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        Ok(next.run(request).await)
    } else {
        Err(HttpError::NotFound)
    }
}

/// The page of the mailbox.
pub(in crate::http) async fn show() -> Response {
    page(include_str!("mailbox.html"), POLICY)
}

pub(in crate::http) async fn asset(Path(name): Path<String>) -> Result<Response, HttpError> {
    super::asset(&ASSETS, &name)
}

/// A sample of each mail in each language, or what is wrong with the templates.
pub(in crate::http) async fn samples(State(server): State<Server>) -> Result<Response, HttpError> {
    let mailbox = server.services.mailbox.as_ref().ok_or(HttpError::NotFound)?;
    let answer = match mailbox.samples().await {
        Ok(mails) => json!({"mails": mails}),
        Err(broken) => json!({"mails": [], "problem": broken.to_string()}),
    };
    Ok(Json(answer).into_response())
}

/// The mails that the page shows, also for tests of front ends.
pub(in crate::http) async fn mails(State(server): State<Server>) -> Result<Response, HttpError> {
    let mailbox = server.services.mailbox.as_ref().ok_or(HttpError::NotFound)?;
    let mails = mailbox.list().await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the mailbox cannot be shown");
        HttpError::Failed
    })?;
    Ok(Json(json!({"mails": mails})).into_response())
}
