//! Getting back in without the password.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject, Union};
use garde::Validate;

use super::count;
use crate::domain::Password;
use crate::graphql::context::{request, services};
use crate::graphql::error::unexpected;
use crate::graphql::types::{AuthErrorCode, AuthFailure};
use crate::graphql::validation::{self, mistaken, refuse};
use crate::services::{MailRequestError, ResetPasswordError};

/// The address.
#[derive(InputObject, Validate)]
pub(super) struct RequestPasswordResetInput {
    /// The address that was registered.
    #[garde(custom(validation::email))]
    email: String,
}

/// Token and new password.
#[derive(InputObject, Validate)]
pub(super) struct ResetPasswordInput {
    /// From the mail: what follows `resetPassword=` in its link.
    #[garde(skip)]
    #[graphql(secret)]
    token: String,
    /// 8 to 256 characters that are hard to guess, in any script. It is never trimmed or cut.
    #[garde(custom(validation::password))]
    #[graphql(secret)]
    new_password: String,
}

/// What `requestPasswordReset` answers.
#[derive(Union)]
pub(super) enum RequestPasswordResetResult {
    AuthFailure(AuthFailure),
    RequestPasswordResetSuccess(RequestPasswordResetSuccess),
}

/// What `resetPassword` answers.
#[derive(Union)]
pub(super) enum ResetPasswordResult {
    AuthFailure(AuthFailure),
    ResetPasswordSuccess(ResetPasswordSuccess),
}

/// If the address has an account, a mail is on its way.
#[derive(SimpleObject)]
pub(super) struct RequestPasswordResetSuccess {
    /// The address as the server understood it.
    email: String,
}

/// The new password is in force. Call `login` next.
#[derive(SimpleObject)]
pub(super) struct ResetPasswordSuccess {
    /// How many sessions were ended: every one there was.
    ended_sessions: i32,
}

#[derive(Default)]
pub(super) struct RecoveryMutation;

#[Object]
impl RecoveryMutation {
    /// Mails a link to set a new password. Answers the same whether or not the address has an account.
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address.")] input: RequestPasswordResetInput,
    ) -> Result<RequestPasswordResetResult> {
        let email = match validation::address(&input, &input.email) {
            Ok(email) => email,
            Err(failure) => return Ok(mistaken(ctx, failure).await.into()),
        };
        match services(ctx).recovery.request(&email, &request(ctx).caller).await {
            Ok(()) => Ok(RequestPasswordResetSuccess { email: email.as_str().to_owned() }.into()),
            Err(MailRequestError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(MailRequestError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }

    /// Sets a new password with the token from the mail, and ends every session of the account.
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Token and new password.")] input: ResetPasswordInput,
    ) -> Result<ResetPasswordResult> {
        let password = match input.password() {
            Ok(password) => password,
            Err(failure) => return Ok(mistaken(ctx, failure).await.into()),
        };
        let request = request(ctx);
        match services(ctx).recovery.reset(&input.token, password, &request.caller).await {
            Ok(reset) => {
                request.new_device_token.set(reset.device_token);
                Ok(ResetPasswordSuccess { ended_sessions: count(reset.ended) }.into())
            }
            Err(error @ ResetPasswordError::InvalidToken) => {
                Ok(AuthFailure::new(AuthErrorCode::MailTokenInvalid, &error).into())
            }
            Err(ResetPasswordError::Weak(weakness)) => Ok(refuse("newPassword")(weakness).into()),
            Err(ResetPasswordError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(ResetPasswordError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }
}

impl ResetPasswordInput {
    fn password(&self) -> Result<Password, AuthFailure> {
        validation::check(self)?;
        Password::parse(&self.new_password).map_err(refuse("newPassword"))
    }
}
