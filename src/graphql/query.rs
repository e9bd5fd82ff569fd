//! Everything a client can read.

use async_graphql::{Context, Object, Result};

use super::context::services;
use super::error::{unauthenticated, unexpected};
use super::guard::viewer;
use super::types::User;
use crate::services::AccessError;

/// Everything a client can read.
pub struct Query;

/// Everything a client can read.
#[Object]
impl Query {
    /// The account that the bearer access token belongs to.
    ///
    /// Without a valid token this is `null` beside a top-level error whose `extensions.code` is `UNAUTHENTICATED`
    /// (and `extensions.reason` is `TOKEN_MISSING`, `TOKEN_INVALID`, `TOKEN_EXPIRED` or `SESSION_ENDED`). That is the
    /// signal to call `refresh`.
    async fn me(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        // `Option<Result<…>>`: with `Result<Option<…>>` a failure would leave the key out of the answer.
        Some(me(ctx).await)
    }
}

async fn me(ctx: &Context<'_>) -> Result<User> {
    let viewer = viewer(ctx).await?;
    let found = services(ctx).accounts.find(viewer).await.map_err(|error| unexpected(ctx, &error))?;
    found.map(User).ok_or_else(|| unauthenticated("SESSION_ENDED", &AccessError::SessionEnded))
}
