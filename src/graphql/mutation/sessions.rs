//! Ending sessions from another one of the same account.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject, Union};

use crate::graphql::context::{request, services};
use crate::graphql::error::unexpected;
use crate::graphql::global_id::GlobalId;
use crate::graphql::guard::viewer;
use crate::graphql::sessions::Session;
use crate::graphql::types::{AuthErrorCode, AuthFailure};
use crate::graphql::validation::mistaken;
use crate::services::EndSessionError;

/// The session to end.
#[derive(InputObject)]
pub(super) struct RevokeSessionInput {
    /// From `User.sessions`.
    id: ID,
}

/// What `revokeSession` answers.
#[derive(Union)]
pub(super) enum RevokeSessionResult {
    AuthFailure(AuthFailure),
    RevokeSessionSuccess(RevokeSessionSuccess),
}

/// The session has ended: its tokens stop working at once.
#[derive(SimpleObject)]
pub(super) struct RevokeSessionSuccess {
    /// The session that was ended, so that a cache can drop it.
    session: Session,
}

#[derive(Default)]
pub(super) struct SessionsMutation;

#[Object]
impl SessionsMutation {
    /// Ends one of the signed-in account's sessions.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session to end.")] input: RevokeSessionInput,
    ) -> Result<RevokeSessionResult> {
        let viewer = viewer(ctx).await?;
        let ended = match GlobalId::read(&input.id) {
            Some(GlobalId::Session(id)) => services(ctx).sessions.end(viewer, id, &request(ctx).caller).await,
            Some(GlobalId::User(_) | GlobalId::SecurityEvent(_)) | None => {
                let failure = AuthFailure::new(AuthErrorCode::NotFound, &EndSessionError::NotFound);
                return Ok(RevokeSessionResult::AuthFailure(mistaken(ctx, failure).await));
            }
        };
        match ended {
            Ok(session) => Ok(RevokeSessionResult::RevokeSessionSuccess(RevokeSessionSuccess {
                session: Session::new(&session, viewer.session_id),
            })),
            Err(error @ EndSessionError::NotFound) => {
                Ok(RevokeSessionResult::AuthFailure(AuthFailure::new(AuthErrorCode::NotFound, &error)))
            }
            Err(EndSessionError::RateLimited(limited)) => {
                Ok(RevokeSessionResult::AuthFailure(AuthFailure::rate_limited(limited)))
            }
            Err(EndSessionError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }
}
