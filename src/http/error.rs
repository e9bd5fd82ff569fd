//! Requests that never reach the schema, answered in the shape of a GraphQL error.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::domain::RequestId;
use crate::graphql;

/// Why a request did not reach the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HttpError {
    #[error("There is nothing here. The API is at /graphql.")]
    NotFound,
    #[error("Send GraphQL as POST; queries may also come by GET.")]
    MethodNotAllowed,
    #[error("Send mutations by POST.")]
    MutationByGet,
    #[error("Send the header `Content-Type: application/json`.")]
    UnsupportedMediaType,
    #[error(
        "Send the header `X-Token-Delivery: cookie`, or leave it out to have refresh tokens in the body."
    )]
    UnknownDelivery,
    #[error(
        "In cookie mode the page's origin must be the server's own (AUTHQL_PUBLIC_URL) or one of AUTHQL_ALLOWED_ORIGINS."
    )]
    ForeignOrigin,
    #[error(
        "In cookie mode the page must be of the server's site, as app.example.com is of auth.example.com's: from others, \
         browsers keep no cookie."
    )]
    CrossSite,
    #[error("Accept `application/graphql-response+json` or `application/json`.")]
    NotAcceptable,
    #[error("The body is larger than 64 kB.")]
    TooLarge,
    #[error("The body took longer than ten seconds to arrive.")]
    TooSlow,
    #[error("The body is not one JSON object with a `query`, as in {{\"query\": \"{{ me {{ email }} }}\"}}.")]
    Malformed,
    #[error("Give the query string a `query`, as in /graphql?query={{me{{email}}}}.")]
    MalformedQueryString,
    #[error("The service cannot do this at the moment. Try again soon.")]
    Unavailable,
    #[error("Something went wrong on our side.")]
    Failed,
}

impl HttpError {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed | Self::MutationByGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed | Self::MalformedQueryString | Self::UnknownDelivery => StatusCode::BAD_REQUEST,
            Self::ForeignOrigin | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer. One about a fault of ours names its request, as those of resolvers do.
    pub(super) fn answer(self, request: Option<&RequestId>) -> Response {
        let code = match self {
            Self::Failed => "INTERNAL_SERVER_ERROR",
            Self::Unavailable => "SERVICE_UNAVAILABLE",
            Self::ForeignOrigin | Self::CrossSite => "FORBIDDEN",
            _ => "BAD_REQUEST",
        };
        let mut extensions = json!({"code": code});
        if self == Self::Unavailable {
            extensions[graphql::RETRY_AFTER] = graphql::SOON.into();
        }
        if let Some(request) = request {
            extensions["requestId"] = request.as_str().into();
        }
        let body = json!({"errors": [{"message": self.to_string(), "extensions": extensions}]});
        let media_type = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
        let mut response = (self.status(), media_type, body.to_string()).into_response();
        if self == Self::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, graphql::SOON.into());
        }
        let allow = match self {
            Self::MethodNotAllowed => Some("GET, POST"),
            Self::MutationByGet => Some("POST"),
            _ => None,
        };
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        self.answer(None)
    }
}
