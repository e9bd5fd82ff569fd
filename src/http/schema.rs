//! The schema as a file, for code generators: `codegen` and other tools take `https://auth.example.com/schema.graphql` as
//! it is, and get the descriptions that introspection would give them.

use axum::http::header;
use axum::routing::{MethodRouter, get};

use super::Server;

/// Plain text, so that browsers show it too.
pub(super) fn sdl() -> MethodRouter<Server> {
    let sdl = crate::graphql::sdl();
    get(async move || ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], sdl.clone()))
}
