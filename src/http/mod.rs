//! HTTP: `/graphql`, the public keys, health, and the pages for people. What a request means, the [schema](crate::graphql) decides.

mod connections;
mod cookies;
mod cors;
mod device;
mod error;
mod graphql;
mod health;
mod keys;
mod pages;
mod request;
mod schema;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

pub use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::FutureExt;
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use tracing::info_span;

pub use self::connections::serve;
use self::error::HttpError;
use self::pages::{confirm, mailbox};
use self::request::NewRequestId;
use crate::domain::{Origins, RequestId, TrustedProxies};
use crate::graphql::{AuthSchema, TrustedDocuments};
use crate::services::Services;

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// What the operator has decided about HTTP.
#[derive(Debug)]
pub struct HttpRules {
    /// Whose word counts about where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// Whose pages may use the API.
    pub origins: Origins,
    /// Whether browsers find GraphiQL at `/graphql`.
    pub has_graphiql: bool,
    /// Whether the schema can be asked for, and is at `/schema.graphql`.
    pub has_schema: bool,
    /// The documents that may be run; all, where there is no list.
    pub trusted_documents: Option<TrustedDocuments>,
}

/// What the handlers need.
#[derive(Clone)]
struct Server {
    schema: AuthSchema,
    services: Arc<Services>,
    proxies: Arc<request::Proxies>,
    origins: Arc<Origins>,
    has_graphiql: bool,
    has_schema: bool,
    trusted_documents: Option<Arc<TrustedDocuments>>,
}

/// All routes.
pub fn router(schema: AuthSchema, services: Arc<Services>, rules: HttpRules) -> Router {
    let HttpRules { trusted_proxies, origins, has_graphiql, has_schema, trusted_documents } = rules;
    let (proxies, origins) = (Arc::new(request::Proxies::new(trusted_proxies)), Arc::new(origins));
    let trusted_documents = trusted_documents.map(Arc::new);
    let graphql = get(graphql::get)
        .post(graphql::post)
        .fallback(method_not_allowed)
        // Inside CORS, or pages of other origins could not read what happened.
        .layer::<_, Infallible>(from_fn(catch_panic))
        .layer(cors::layer(&origins, [Method::GET, Method::POST]));
    let mut router = Router::new()
        .route("/graphql", graphql)
        .route("/confirm", get(confirm::show))
        .route("/confirm/assets/{name}", get(confirm::asset))
        .route("/.well-known/jwks.json", get(keys::jwks))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready));
    if has_graphiql {
        router = router.route("/graphql/assets/{name}", get(pages::graphiql_asset));
    }
    if has_schema {
        router = router.route("/schema.graphql", schema::sdl());
    }
    if services.mailbox.is_some() {
        router = router
            .route("/mailbox", get(mailbox::show).layer(from_fn(mailbox::for_this_machine)))
            .route("/mailbox.json", get(mailbox::mails).layer(from_fn(mailbox::for_this_machine)))
            .route("/mailbox/samples.json", get(mailbox::samples).layer(from_fn(mailbox::for_this_machine)))
            .route("/mailbox/assets/{name}", get(mailbox::asset));
    }
    let request_id = HeaderName::from_static("x-request-id");
    router
        .fallback(not_found)
        .with_state(Server {
            schema,
            services,
            proxies,
            origins,
            has_graphiql,
            has_schema,
            trusted_documents,
        })
        .layer(from_fn(catch_panic))
        .layer(default_header(header::CACHE_CONTROL, "no-store"))
        .layer(default_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(default_header(header::REFERRER_POLICY, "no-referrer"))
        .layer(default_header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .layer(PropagateRequestIdLayer::new(request_id.clone()))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(SetRequestIdLayer::new(request_id, NewRequestId))
}

fn span<B>(request: &axum::http::Request<B>) -> tracing::Span {
    // The path only: a query string may hold a document.
    info_span!(
        "http.request",
        http.method = %request.method(),
        http.path = request.uri().path(),
        request.id = request::id(request.extensions()).as_ref().map(RequestId::as_str),
    )
}

/// Answers a request that panics as other faults are answered. What it says is for the log alone, which has it already.
async fn catch_panic(request: Request, next: Next) -> Response {
    let id = request::id(request.extensions());
    // Whatever the request had of its own is gone with it, and what is shared allows for that: a lock that it held is taken
    // as it is, and its connection to Postgres is rolled back before the next one gets it.
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|_| HttpError::Failed.answer(id.as_ref()))
}

/// A header for every answer that does not set it itself.
fn default_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn not_found() -> Response {
    HttpError::NotFound.into_response()
}

async fn method_not_allowed() -> Response {
    HttpError::MethodNotAllowed.into_response()
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response {
    status.into_response()
}
