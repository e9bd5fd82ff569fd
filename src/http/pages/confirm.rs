//! Where links of mails lead while there is no front end that takes them.
//!
//! The page is the same for all links: what a link is about stands in its fragment, which no server sees. Serving it uses up
//! nothing; its script sends the token when a person asks it to.

use axum::extract::Path;
use axum::response::Response;

use super::Content::Plain;
use super::{Asset, CSS, SCRIPT, page};
use crate::http::error::HttpError;

/// The page may run our scripts and speak to us. It handles passwords and tokens: nobody else is spoken to, and no form is sent.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const ASSETS: [Asset; 3] = [
    Asset("confirm.js", SCRIPT, Plain(include_bytes!("confirm.js"))),
    Asset("texts.js", SCRIPT, Plain(include_bytes!("confirm-texts.js"))),
    Asset("confirm.css", CSS, Plain(include_bytes!("confirm.css"))),
];

/// The page.
pub(in crate::http) async fn show() -> Response {
    page(include_str!("confirm.html"), POLICY)
}

pub(in crate::http) async fn asset(Path(name): Path<String>) -> Result<Response, HttpError> {
    super::asset(&ASSETS, &name)
}
