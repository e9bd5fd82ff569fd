//! The guard: whom a request acts as, from the access token in its GraphQL context.
//!
//! Called by the resolvers themselves: a `guard` attribute on a nullable field would leave its key out of the answer.

use async_graphql::{Context, Result};

use super::context::{request, services};
use super::error::{rate_limited, unauthenticated, unexpected};
use crate::domain::Viewer;
use crate::services::AccessError;

/// The signed-in account and its session, or `UNAUTHENTICATED` with a reason.
pub(super) async fn viewer(ctx: &Context<'_>) -> Result<Viewer> {
    let request = request(ctx);
    let access_token = request.access_token.as_deref();
    services(ctx).access.check(access_token, &request.caller).await.map_err(|error| match &error {
        AccessError::TokenMissing => unauthenticated("TOKEN_MISSING", &error),
        AccessError::TokenInvalid => unauthenticated("TOKEN_INVALID", &error),
        AccessError::TokenExpired => unauthenticated("TOKEN_EXPIRED", &error),
        AccessError::SessionEnded => unauthenticated("SESSION_ENDED", &error),
        AccessError::RateLimited(limited) => rate_limited(*limited),
        AccessError::Unexpected(error) => unexpected(ctx, error),
    })
}
