//! Health: whether the process lives, and whether it can do its work.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Server, empty};

/// The process answers. Depends on nothing else, so that no supervisor restarts it for somebody else's outage.
pub(super) async fn live() -> Response {
    empty(StatusCode::NO_CONTENT)
}

/// The database answers as well.
pub(super) async fn ready(State(server): State<Server>) -> Response {
    match server.services.health.check().await {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(error) => {
            server.services.failures.log_not_ready(&error);
            empty(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
