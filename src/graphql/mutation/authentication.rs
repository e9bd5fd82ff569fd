//! Starting, continuing and ending sessions.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject, Union};
use garde::Validate;

use super::count;
use crate::domain::{EmailAddress, Password};
use crate::graphql::context::{request, services};
use crate::graphql::cookie::RefreshCookie;
use crate::graphql::error::unexpected;
use crate::graphql::types::{AuthErrorCode, AuthFailure, AuthTokens, User};
use crate::graphql::validation::{self, mistaken, refuse};
use crate::services::{LoginError, LogoutError, LogoutRequest, RefreshError};

/// The credentials.
#[derive(InputObject, Validate)]
pub(super) struct LoginInput {
    /// The address that was registered.
    #[garde(custom(validation::email))]
    email: String,
    /// The account's password.
    #[garde(custom(validation::password))]
    #[graphql(secret)]
    password: String,
}

/// The refresh token, unless it travels in the cookie.
#[derive(InputObject)]
pub(super) struct RefreshInput {
    /// Leave it out in cookie mode.
    #[graphql(secret)]
    refresh_token: Option<String>,
}

/// Which session to end.
#[derive(InputObject)]
pub(super) struct LogoutInput {
    /// Leave it out in cookie mode, or to end the session of the bearer access token.
    #[graphql(secret)]
    refresh_token: Option<String>,
    /// End every session of the account, not only this one.
    #[graphql(default = false)]
    everywhere: bool,
}

/// What `login` answers.
#[derive(Union)]
pub(super) enum LoginResult {
    AuthFailure(AuthFailure),
    LoginSuccess(LoginSuccess),
}

/// A session has begun.
#[derive(SimpleObject)]
pub(super) struct LoginSuccess {
    /// Whose it is.
    user: User,
    /// What it is continued with.
    tokens: AuthTokens,
}

/// What `refresh` answers.
#[derive(Union)]
pub(super) enum RefreshResult {
    AuthFailure(AuthFailure),
    RefreshSuccess(RefreshSuccess),
}

/// The session goes on.
#[derive(SimpleObject)]
pub(super) struct RefreshSuccess {
    /// The new pair. Forget the old one.
    tokens: AuthTokens,
}

/// What `logout` answers.
#[derive(Union)]
pub(super) enum LogoutResult {
    AuthFailure(AuthFailure),
    LogoutSuccess(LogoutSuccess),
}

/// What was to end has ended, now or before.
#[derive(SimpleObject)]
pub(super) struct LogoutSuccess {
    /// How many sessions were ended; 0 when there was none to end.
    ended_sessions: i32,
}

#[derive(Default)]
pub(super) struct AuthenticationMutation;

#[Object]
impl AuthenticationMutation {
    /// Starts a session with e-mail address and password.
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The credentials.")] input: LoginInput,
    ) -> Result<LoginResult> {
        let (email, password) = match input.into_credentials() {
            Ok(credentials) => credentials,
            Err(failure) => return Ok(mistaken(ctx, failure).await.into()),
        };
        let request = request(ctx);
        match services(ctx).authentication.login(&email, password, &request.caller).await {
            Ok(login) => {
                request.new_device_token.set(login.device_token);
                let user = User::new(login.user, login.session_id);
                let tokens = AuthTokens::hand_over(login.tokens, request);
                Ok(LoginSuccess { user, tokens }.into())
            }
            Err(error @ LoginError::InvalidCredentials) => {
                Ok(LoginResult::AuthFailure(AuthFailure::new(AuthErrorCode::InvalidCredentials, &error)))
            }
            Err(error @ LoginError::EmailNotVerified) => {
                Ok(LoginResult::AuthFailure(AuthFailure::new(AuthErrorCode::EmailNotVerified, &error)))
            }
            Err(LoginError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(LoginError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }

    /// Swaps a refresh token for a new pair of tokens; the one presented stops working. A repeat within a few seconds
    /// (another tab, a lost answer) gets the same successor again. Needs no access token, and ignores one in the
    /// `Authorization` header.
    async fn refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refresh token, unless it travels in the cookie.")] input: RefreshInput,
    ) -> Result<RefreshResult> {
        let request = request(ctx);
        let cookie = request.refresh_cookie.as_deref();
        let kept = cookie.and_then(RefreshCookie::presented);
        let refresh_token = input.refresh_token.as_deref().or(kept).unwrap_or_default();
        match services(ctx).authentication.refresh(refresh_token, &request.caller).await {
            Ok(tokens) => {
                let tokens = AuthTokens::hand_over(tokens, request);
                Ok(RefreshResult::RefreshSuccess(RefreshSuccess { tokens }))
            }
            Err(error @ RefreshError::Invalid) => {
                Ok(RefreshResult::AuthFailure(AuthFailure::new(AuthErrorCode::RefreshTokenInvalid, &error)))
            }
            Err(error @ RefreshError::Reused) => {
                Ok(RefreshResult::AuthFailure(AuthFailure::new(AuthErrorCode::RefreshTokenReused, &error)))
            }
            Err(RefreshError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(RefreshError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }

    /// Ends the session: its refresh token and its access tokens stop working at once. Repeating it is harmless; an
    /// unknown token is answered with success as well.
    async fn logout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session to end.")] input: LogoutInput,
    ) -> Result<LogoutResult> {
        let request = request(ctx);
        // The cookie of another session than the one that ends stays.
        let cookie = request.refresh_cookie.as_deref().filter(|_| input.refresh_token.is_none());
        let kept = cookie.and_then(RefreshCookie::presented);
        let which = LogoutRequest {
            refresh_token: input.refresh_token.as_deref().or(kept),
            access_token: request.access_token.as_deref(),
            everywhere: input.everywhere,
        };
        match services(ctx).authentication.logout(which, &request.caller).await {
            Ok(ended) => {
                if let Some(cookie) = cookie {
                    cookie.forget();
                }
                Ok(LogoutSuccess { ended_sessions: count(ended) }.into())
            }
            Err(LogoutError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(LogoutError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }
}

impl LoginInput {
    fn into_credentials(self) -> Result<(EmailAddress, Password), AuthFailure> {
        validation::check(&self)?;
        let email = EmailAddress::parse(&self.email).map_err(refuse("email"))?;
        let password = Password::parse(&self.password).map_err(refuse("password"))?;
        Ok((email, password))
    }
}
