//! GraphQL over HTTP: what reaches the schema, and how its answers are sent.
//!
//! The library's own extractor takes any content type and any size, and its responder is always 200 with one media type;
//! so the extractor gets what has been checked here, and answers are written here.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::indexmap::IndexMap;
use async_graphql::{ErrorExtensionValues, ParseRequestError, ServerError, Value};
use async_graphql_axum::GraphQLRequest;
use async_graphql_axum::rejection::GraphQLRejection;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::Serialize;
use tokio::time::timeout;

use super::error::HttpError;
use super::{MAX_BODY, Server, cookies, device, pages, request};
use crate::graphql::{self, DocumentError, RefreshCookie};

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request may take once it has arrived.
const DEADLINE: Duration = Duration::from_secs(10);

/// The most errors of an answer, and the most characters of each.
const MAX_ERRORS: usize = 5;
const MAX_MESSAGE: usize = 200;

/// Either media type of the GraphQL-over-HTTP draft.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MediaType {
    /// `application/json`: the status is 200 for everything that is GraphQL.
    Json,
    /// `application/graphql-response+json`: the status is 400 for what was not executed.
    GraphQlResponse,
}

pub(super) async fn post(State(server): State<Server>, request: Request) -> Result<Response, HttpError> {
    let accepted = MediaType::negotiate(request.headers())?;
    if !is_json(request.headers()) {
        return Err(HttpError::UnsupportedMediaType);
    }
    let cookie = cookies::open(request.headers(), &server.origins)?;
    let (parts, body) = request.into_parts();
    let body = timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await.map_err(|_| HttpError::TooSlow)?;
    let body = body.map_err(|_| HttpError::TooLarge)?;
    let document = graphql::document_id(&body);
    let request = Request::from_parts(parts, body.into());
    let device = device::token(request.headers(), &server.origins);
    let mut response =
        execute(&server, request, accepted, Brought { cookie: cookie.clone(), device, document }).await?;
    let change = cookie.and_then(|cookie| cookie.take_change());
    if let Some(value) = change.and_then(|change| cookies::set_cookie(&change, &server.origins)) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

pub(super) async fn get(State(server): State<Server>, request: Request) -> Result<Response, HttpError> {
    if server.has_graphiql && wants_page(request.headers()) {
        return Ok(pages::graphiql());
    }
    let accepted = MediaType::negotiate(request.headers())?;
    let document = parameter(request.uri(), "documentId");
    execute(&server, request, accepted, Brought { document, ..Brought::default() }).await
}

/// What a request brings beside what it asks for. What a client keeps for us comes with a POST only.
#[derive(Default)]
struct Brought {
    /// In cookie mode this has, or is told, the refresh token.
    cookie: Option<Arc<RefreshCookie>>,
    /// The device token.
    device: Option<SecretString>,
    /// The `documentId`, which may stand for a document.
    document: Option<String>,
}

/// Runs what was asked for.
async fn execute(
    server: &Server,
    request: Request,
    accepted: MediaType,
    brought: Brought,
) -> Result<Response, HttpError> {
    let method = request.method().clone();
    let mut context = request::context(request.headers(), request.extensions(), &server.proxies);
    context.refresh_cookie = brought.cookie;
    context.caller.device = context.caller.device.with_token(brought.device);
    let new_device_token = Arc::clone(&context.new_device_token);
    let operation_name = parameter(request.uri(), "operationName");
    let extracted: Result<GraphQLRequest, GraphQLRejection> =
        GraphQLRequest::from_request(request, &()).await;
    let mut request = extracted.map_err(|rejection| refusal(&rejection.0, &method))?.into_inner();
    if let Err(error) =
        graphql::find_document(server.trusted_documents.as_deref(), &mut request, brought.document.as_deref())
    {
        return Ok(accepted.respond(refused(&error)));
    }
    if request.query.is_empty() {
        return Err(if method == Method::GET {
            HttpError::MalformedQueryString
        } else {
            HttpError::Malformed
        });
    }
    request.operation_name = request.operation_name.or(operation_name);
    let is_mutation = match graphql::admit(&mut request, server.has_schema) {
        Ok(is_mutation) => is_mutation,
        Err(error) => return Ok(accepted.respond(refused(&error))),
    };
    if method == Method::GET && is_mutation {
        return Err(HttpError::MutationByGet);
    }
    // Whatever hangs behind us: the client learns that it may try again, and what was begun is rolled back or repeatable.
    let executed = timeout(DEADLINE, server.schema.execute(request.data(context))).await;
    let mut response = accepted.respond(executed.map_err(|_| HttpError::Unavailable)?);
    device::hand_over(new_device_token.take(), response.headers_mut(), &server.origins);
    Ok(response)
}

impl MediaType {
    /// The media type of the answer: the one that the client wants most (RFC 9110 12.5.1). Wildcards, and no header, get
    /// `application/json`, which older clients expect.
    fn negotiate(headers: &HeaderMap) -> Result<Self, HttpError> {
        let text = headers.get(header::ACCEPT).map_or(Ok("*/*"), HeaderValue::to_str).unwrap_or_default();
        // Of equal ones the first, which is the last of the reversed.
        let ranges = text.rsplit(',').filter_map(Self::read).filter(|(_, quality)| *quality > 0.0);
        let best = ranges.max_by(|(_, one), (_, other)| one.total_cmp(other));
        best.map(|(media_type, _)| media_type).ok_or(HttpError::NotAcceptable)
    }

    /// A media range that is one of ours, and how much it is wanted.
    fn read(range: &str) -> Option<(Self, f32)> {
        let mut parts = range.split(';').map(str::trim);
        let media_type = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/graphql-response+json" => Self::GraphQlResponse,
            "application/json" | "application/*" | "*/*" => Self::Json,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        Some((media_type, quality.map_or(Some(1.0), |text| text.parse().ok())?))
    }

    fn respond(self, mut response: async_graphql::Response) -> Response {
        // What was executed has a path to the field that failed; what was refused before has none.
        let was_refused =
            !response.errors.is_empty() && response.errors.iter().all(|error| error.path.is_empty());
        if response.errors.is_empty() && response.data == Value::Null {
            // Every field was skipped, which the library takes for no answer.
            response.data = Value::Object(IndexMap::default());
        }
        response.errors.truncate(MAX_ERRORS);
        for error in &mut response.errors {
            if let Some((end, _)) = error.message.char_indices().nth(MAX_MESSAGE) {
                error.message.truncate(end);
            }
            // What has a path and no code is an argument that its field could not take.
            let code = if error.path.is_empty() { "GRAPHQL_VALIDATION_FAILED" } else { "BAD_USER_INPUT" };
            error.extensions.get_or_insert_default().set_default("code", code);
        }
        let (status, media_type) = match self {
            Self::Json => (StatusCode::OK, "application/json; charset=utf-8"),
            Self::GraphQlResponse if was_refused => {
                (StatusCode::BAD_REQUEST, "application/graphql-response+json; charset=utf-8")
            }
            Self::GraphQlResponse => (StatusCode::OK, "application/graphql-response+json; charset=utf-8"),
        };
        let body = Body { data: (!was_refused).then_some(&response.data), errors: &response.errors };
        let Ok(body) = serde_json::to_string(&body) else { return HttpError::Failed.into_response() };
        let mut answer = (status, [(header::CONTENT_TYPE, media_type)], body).into_response();
        if let Some(seconds) = retry_after(&response.errors) {
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        answer
    }
}

/// How many seconds the client is asked to wait, also as a header: proxies and HTTP libraries know that one.
fn retry_after(errors: &[ServerError]) -> Option<u64> {
    errors.iter().find_map(|error| match error.extensions.as_ref()?.get(graphql::RETRY_AFTER)? {
        Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    })
}

/// An answer, its fields in the order of the request. What was refused has no `data` at all.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
}

trait SetDefault {
    fn set_default(&mut self, name: &str, value: &str);
}

impl SetDefault for ErrorExtensionValues {
    fn set_default(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }
}

/// The answer to a document that is not executed.
fn refused(error: &DocumentError) -> async_graphql::Response {
    let mut refusal = ServerError::new(graphql::sentence(error), None);
    refusal.extensions.get_or_insert_default().set("code", error.code());
    async_graphql::Response::from_errors(vec![refusal])
}

/// A parameter of a query string that the library does not look for, or not under this name.
fn parameter(uri: &Uri, wanted: &str) -> Option<String> {
    let mut parameters = url::form_urlencoded::parse(uri.query()?.as_bytes());
    parameters.find(|(name, _)| name == wanted).map(|(_, text)| text.into_owned())
}

fn refusal(error: &ParseRequestError, method: &Method) -> HttpError {
    match error {
        ParseRequestError::PayloadTooLarge => HttpError::TooLarge,
        _ if method == Method::GET => HttpError::MalformedQueryString,
        _ => HttpError::Malformed,
    }
}

/// Whether the body is declared to be JSON. Anything else could be sent by a form on another site without asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Whether a browser is asking for a page, and not a client for an answer.
fn wants_page(headers: &HeaderMap) -> bool {
    let text = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.contains("text/html")
}
