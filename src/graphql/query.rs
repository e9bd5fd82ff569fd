//! Everything a client can read.

use async_graphql::{Context, ID, Object, Result};

use super::context::services;
use super::error::{unauthenticated, unexpected};
use super::guard::viewer;
use super::node::{self, Node};
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
    /// signal to call `refresh`. A client that asks without end gets the code `RATE_LIMITED` instead.
    async fn me(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        // `Option<Result<…>>`: with `Result<Option<…>>` a failure would leave the key out of the answer.
        Some(me(ctx).await)
    }

    /// Looks up any object by its global `id`. `null` when it does not exist or is not yours.
    ///
    /// Needs a valid access token, as `me` does.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A global `id` taken from an earlier result.")] id: ID,
    ) -> Option<Result<Node>> {
        node(ctx, &id).await.transpose()
    }
}

async fn me(ctx: &Context<'_>) -> Result<User> {
    let viewer = viewer(ctx).await?;
    let found = services(ctx).accounts.find(viewer).await.map_err(|error| unexpected(ctx, &error))?;
    found
        .map(|user| User::new(user, viewer.session_id))
        .ok_or_else(|| unauthenticated("SESSION_ENDED", &AccessError::SessionEnded))
}

async fn node(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let viewer = viewer(ctx).await?;
    node::find(ctx, viewer, id).await
}
