//! The types of answers.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use secrecy::ExposeSecret;

use super::context::RequestContext;
use super::error::{sentence, wait_seconds};
use super::events::{self, SecurityEventConnection};
use super::global_id::GlobalId;
use super::paging::PageArguments;
use super::scalar::DateTime;
use super::sessions::{self, SessionConnection};
use super::validation::Problem;
use crate::domain;
use crate::services::RateLimited;

/// A person's account.
pub(super) struct User {
    account: domain::User,
    /// The session that the request was made with, or has just started.
    current: domain::SessionId,
}

/// A person's account.
#[Object]
impl User {
    /// Unique across all types; opaque to clients.
    pub(super) async fn id(&self) -> ID {
        GlobalId::User(self.account.id).into()
    }

    /// The address used to sign in.
    async fn email(&self) -> &str {
        self.account.email.as_str()
    }

    /// Whether the address has been confirmed by opening the link that was mailed to it.
    async fn email_verified(&self) -> bool {
        self.account.email_verified_at.is_some()
    }

    /// How the person wants to be called; `null` until they say.
    async fn name(&self) -> Option<&str> {
        self.account.name.as_ref().map(domain::PersonName::as_str)
    }

    /// The language of mails, a BCP 47 tag such as `en` or `ru`.
    async fn locale(&self) -> &str {
        self.account.locale.as_str()
    }

    /// When the account was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.account.created_at)
    }

    /// Where this account is signed in, newest first.
    ///
    /// `first` and `last` together, a number below 0 or above 100, and a text that is no cursor are errors whose
    /// `extensions.code` is `BAD_USER_INPUT`.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "At most so many, the newest ones: 0 to 100, 20 when both this and `last` are left out."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many, the oldest ones: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<String>,
    ) -> Result<SessionConnection> {
        let arguments = PageArguments { first, after, last, before };
        sessions::list(ctx, self.account.id, self.current, &arguments).await
    }

    /// What happened to this account that its owner may have to look into, newest first: sign-ins, failed ones, changes.
    /// Kept for a year, unless the operator has chosen another time.
    ///
    /// The arguments are those of `sessions`, and so are their errors.
    async fn security_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "At most so many, the newest ones: 0 to 100, 20 when both this and `last` are left out."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only those that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many, the oldest ones: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<String>,
    ) -> Result<SecurityEventConnection> {
        let arguments = PageArguments { first, after, last, before };
        events::list(ctx, self.account.id, &arguments).await
    }
}

impl User {
    /// `current` is the session that the request was made with, or has just started.
    pub(super) fn new(account: domain::User, current: domain::SessionId) -> Self {
        Self { account, current }
    }
}

/// The tokens of one session.
#[derive(SimpleObject)]
pub(super) struct AuthTokens {
    /// Send it as `Authorization: Bearer <accessToken>`. Treat it as opaque.
    access_token: String,
    /// When the access token stops working. Refresh a little before.
    access_token_expires_at: DateTime,
    /// Give it to `refresh`, once. `null` in cookie mode (the request header `X-Token-Delivery: cookie`), where the browser
    /// keeps it in an HttpOnly cookie.
    refresh_token: Option<String>,
    /// When the refresh token stops working.
    refresh_token_expires_at: DateTime,
}

impl AuthTokens {
    /// Hands a pair to the client, its refresh token in the way that the request asks for.
    pub(super) fn hand_over(pair: domain::TokenPair, request: &RequestContext) -> Self {
        let refresh_token_expires_at = DateTime(pair.refresh.expires_at);
        let refresh_token = match &request.refresh_cookie {
            None => Some(pair.refresh.text.expose_secret().to_owned()),
            Some(cookie) => {
                cookie.keep(pair.refresh);
                None
            }
        };
        Self {
            access_token: pair.access.text.expose_secret().to_owned(),
            access_token_expires_at: DateTime(pair.access.expires_at),
            refresh_token,
            refresh_token_expires_at,
        }
    }
}

/// An expected failure, the same type for every mutation. New reasons become new values of `code`, so a client that was
/// built earlier still receives `code` and `message`.
#[derive(SimpleObject)]
pub(super) struct AuthFailure {
    /// Stable reason, for programs and for translated texts.
    code: AuthErrorCode,
    /// English text for developers; do not match on it.
    message: String,
    /// What is wrong with the input, all of it at once. Empty unless `code` is `VALIDATION_FAILED`.
    pub(super) fields: Vec<FieldError>,
    /// How long to wait before the same request can succeed. `null` unless `code` is `RATE_LIMITED`, and when waiting does
    /// not help: then `message` says what does.
    retry_after_seconds: Option<i32>,
}

impl AuthFailure {
    pub(super) fn new(code: AuthErrorCode, reason: &dyn std::error::Error) -> Self {
        Self { code, message: sentence(reason), fields: Vec::new(), retry_after_seconds: None }
    }

    pub(super) fn rate_limited(limited: RateLimited) -> Self {
        let retry_after_seconds = match limited {
            RateLimited::Wait(wait) => Some(i32::try_from(wait_seconds(wait)).unwrap_or(i32::MAX)),
            RateLimited::Stopped => None,
        };
        Self { retry_after_seconds, ..Self::new(AuthErrorCode::RateLimited, &limited) }
    }

    pub(super) fn validation(fields: Vec<FieldError>) -> Self {
        let message = "Some of the input cannot be accepted; see `fields`.".to_owned();
        Self { code: AuthErrorCode::ValidationFailed, message, fields, retry_after_seconds: None }
    }
}

/// Why an operation was refused. Values may be added: keep a default branch.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthErrorCode {
    /// At least one input field is unacceptable; see `fields`.
    ValidationFailed,
    /// Address and password do not belong together. Deliberately the same for an unknown address.
    InvalidCredentials,
    /// The password was right, but this server wants the address confirmed first.
    EmailNotVerified,
    /// An account with this address exists. Told only where the operator has chosen to tell.
    EmailTaken,
    /// The refresh token is unknown, expired or revoked. Show the login form.
    RefreshTokenInvalid,
    /// The refresh token had been used before. The session has been ended as a precaution.
    RefreshTokenReused,
    /// The token from the mail is unknown, used or expired. Ask for a new mail.
    MailTokenInvalid,
    /// There is no such object, or it belongs to someone else.
    NotFound,
    /// Too many attempts; see `retryAfterSeconds`.
    RateLimited,
}

/// One problem with one input field.
#[derive(SimpleObject)]
pub(super) struct FieldError {
    /// Path below `input`, for example `["email"]`.
    path: Vec<String>,
    /// Stable reason, for programs and for translated texts.
    code: FieldErrorCode,
    /// English text for developers; do not match on it.
    message: String,
}

impl FieldError {
    /// Whether it is about this field of the input.
    pub(super) fn is_about(&self, field: &str) -> bool {
        self.path == [field]
    }

    pub(super) fn new(path: &str, problem: Problem) -> Self {
        let path = path.split('.').map(str::to_owned).collect();
        Self { path, code: problem.code, message: problem.message }
    }
}

/// Why an input field was refused. Values may be added: keep a default branch.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldErrorCode {
    /// It must not be empty.
    Required,
    /// It is not written like what it should be.
    InvalidFormat,
    /// It has too few characters.
    TooShort,
    /// It has too many characters.
    TooLong,
    /// It is among the first that an attacker would try.
    TooCommon,
}
