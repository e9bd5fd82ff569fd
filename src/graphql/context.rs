//! What a resolver knows of the request it serves.

use std::sync::Arc;

use async_graphql::Context;

use super::cookie::RefreshCookie;
use super::device::NewDeviceToken;
use crate::domain::Caller;
use crate::services::Services;

/// What the transport knows of a request. It goes into the GraphQL context of each.
#[derive(Debug, Default)]
pub struct RequestContext {
    /// The bearer access token, unchecked. Not for logs.
    pub access_token: Option<String>,
    /// Where the client keeps its refresh token in cookie mode; otherwise it travels in inputs and answers.
    pub refresh_cookie: Option<Arc<RefreshCookie>>,
    /// Whose request it is.
    pub caller: Caller,
    /// What the answer gives that device to keep.
    pub new_device_token: Arc<NewDeviceToken>,
}

/// The use cases.
pub(super) fn services<'a>(ctx: &Context<'a>) -> &'a Services {
    ctx.data_unchecked::<Arc<Services>>()
}

/// The request.
pub(super) fn request<'a>(ctx: &Context<'a>) -> &'a RequestContext {
    ctx.data_unchecked::<RequestContext>()
}
