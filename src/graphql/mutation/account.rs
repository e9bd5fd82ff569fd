//! What an account's owner changes about it.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, Result, SimpleObject, Union};
use garde::Validate;

use super::count;
use crate::domain::{EmailAddress, Locale, Password, PersonName};
use crate::graphql::context::{request, services};
use crate::graphql::error::{unauthenticated, unexpected};
use crate::graphql::guard::viewer;
use crate::graphql::types::{AuthErrorCode, AuthFailure, User};
use crate::graphql::validation::{self, mistaken, refuse};
use crate::services::{
    AccessError, ChangePasswordError, DeleteAccountError, MailTokenError, ProfileChange,
    RequestEmailChangeError, UpdateProfileError,
};

/// Current and new password.
#[derive(InputObject, Validate)]
pub(super) struct ChangePasswordInput {
    /// The password that the account has.
    #[garde(custom(validation::password))]
    #[graphql(secret)]
    current_password: String,
    /// 8 to 256 characters that are hard to guess, in any script. It is never trimmed or cut.
    #[garde(custom(validation::password))]
    #[graphql(secret)]
    new_password: String,
}

/// New address and current password.
#[derive(InputObject, Validate)]
pub(super) struct RequestEmailChangeInput {
    /// The address that the account is to move to.
    #[garde(custom(validation::email))]
    new_email: String,
    /// The password that the account has.
    #[garde(custom(validation::password))]
    #[graphql(secret)]
    current_password: String,
}

/// The token.
#[derive(InputObject)]
pub(super) struct ConfirmEmailChangeInput {
    /// From the mail: what follows `confirmEmailChange=` in its link.
    #[graphql(secret)]
    token: String,
}

/// What to change; what is left out stays.
#[derive(InputObject, Validate)]
pub(super) struct UpdateProfileInput {
    /// How the person wants to be called, at most 100 characters; `null` or nothing but spaces takes the name away.
    #[garde(custom(validation::changed_name))]
    name: MaybeUndefined<String>,
    /// The language of mails, a BCP 47 tag such as `en` or `ru`; `null` leaves it as it is.
    #[garde(custom(validation::locale))]
    locale: Option<String>,
}

/// The current password.
#[derive(InputObject, Validate)]
pub(super) struct DeleteAccountInput {
    /// The password that the account has.
    #[garde(custom(validation::password))]
    #[graphql(secret)]
    current_password: String,
}

/// What `changePassword` answers.
#[derive(Union)]
pub(super) enum ChangePasswordResult {
    AuthFailure(AuthFailure),
    ChangePasswordSuccess(ChangePasswordSuccess),
}

/// What `requestEmailChange` answers.
#[derive(Union)]
pub(super) enum RequestEmailChangeResult {
    AuthFailure(AuthFailure),
    RequestEmailChangeSuccess(RequestEmailChangeSuccess),
}

/// What `confirmEmailChange` answers.
#[derive(Union)]
pub(super) enum ConfirmEmailChangeResult {
    AuthFailure(AuthFailure),
    ConfirmEmailChangeSuccess(ConfirmEmailChangeSuccess),
}

/// What `updateProfile` answers.
#[derive(Union)]
pub(super) enum UpdateProfileResult {
    AuthFailure(AuthFailure),
    UpdateProfileSuccess(UpdateProfileSuccess),
}

/// What `deleteAccount` answers.
#[derive(Union)]
pub(super) enum DeleteAccountResult {
    AuthFailure(AuthFailure),
    DeleteAccountSuccess(DeleteAccountSuccess),
}

/// The new password is in force; this session goes on.
#[derive(SimpleObject)]
pub(super) struct ChangePasswordSuccess {
    /// How many other sessions were ended: every one there was.
    ended_sessions: i32,
}

/// If the new address can be used, a mail is on its way there.
#[derive(SimpleObject)]
pub(super) struct RequestEmailChangeSuccess {
    /// The new address as the server understood it.
    email: String,
}

/// The account has moved. Sessions go on; the next `login` is with the new address.
#[derive(SimpleObject)]
pub(super) struct ConfirmEmailChangeSuccess {
    /// The address that the account has now.
    email: String,
}

/// The account shows what it was told to.
#[derive(SimpleObject)]
pub(super) struct UpdateProfileSuccess {
    /// The account as it is now.
    user: User,
}

/// The account is no more.
#[derive(SimpleObject)]
pub(super) struct DeleteAccountSuccess {
    /// How many sessions were ended: every one there was, this one included.
    ended_sessions: i32,
}

#[derive(Default)]
pub(super) struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Sets a new password, given the current one, and ends every other session of the account.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Current and new password.")] input: ChangePasswordInput,
    ) -> Result<ChangePasswordResult> {
        let viewer = viewer(ctx).await?;
        let (current, new) = match input.passwords() {
            Ok(passwords) => passwords,
            Err(failure) => return Ok(mistaken(ctx, failure).await.into()),
        };
        match services(ctx).accounts.change_password(viewer, current, new, &request(ctx).caller).await {
            Ok(ended) => Ok(ChangePasswordSuccess { ended_sessions: count(ended) }.into()),
            Err(error @ ChangePasswordError::InvalidCredentials) => {
                Ok(AuthFailure::new(AuthErrorCode::InvalidCredentials, &error).into())
            }
            Err(ChangePasswordError::Weak(weakness)) => Ok(refuse("newPassword")(weakness).into()),
            Err(ChangePasswordError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(ChangePasswordError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }

    /// Asks to move the account to another address; the mail to the new one carries the token, the old one is told.
    async fn request_email_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "New address and current password.")] input: RequestEmailChangeInput,
    ) -> Result<RequestEmailChangeResult> {
        let viewer = viewer(ctx).await?;
        let (email, password) = match input.address_and_password() {
            Ok(values) => values,
            Err(failure) => return Ok(mistaken(ctx, failure).await.into()),
        };
        match services(ctx)
            .accounts
            .request_email_change(viewer, &email, password, &request(ctx).caller)
            .await
        {
            Ok(()) => Ok(RequestEmailChangeSuccess { email: email.as_str().to_owned() }.into()),
            Err(error @ RequestEmailChangeError::InvalidCredentials) => {
                Ok(AuthFailure::new(AuthErrorCode::InvalidCredentials, &error).into())
            }
            Err(error @ RequestEmailChangeError::EmailTaken) => {
                Ok(AuthFailure::new(AuthErrorCode::EmailTaken, &error).into())
            }
            Err(RequestEmailChangeError::RateLimited(limited)) => {
                Ok(AuthFailure::rate_limited(limited).into())
            }
            Err(RequestEmailChangeError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }

    /// Moves the account to the address that the token was mailed to.
    async fn confirm_email_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: ConfirmEmailChangeInput,
    ) -> Result<ConfirmEmailChangeResult> {
        match services(ctx).accounts.confirm_email_change(&input.token, &request(ctx).caller).await {
            Ok(email) => Ok(ConfirmEmailChangeSuccess { email: email.as_str().to_owned() }.into()),
            Err(error @ MailTokenError::Invalid) => {
                Ok(AuthFailure::new(AuthErrorCode::MailTokenInvalid, &error).into())
            }
            Err(MailTokenError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(MailTokenError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }

    /// Changes what the account shows of its owner.
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change; what is left out stays.")] input: UpdateProfileInput,
    ) -> Result<UpdateProfileResult> {
        let viewer = viewer(ctx).await?;
        let change = match input.into_change() {
            Ok(change) => change,
            Err(failure) => return Ok(mistaken(ctx, failure).await.into()),
        };
        match services(ctx).accounts.update_profile(viewer, &change, &request(ctx).caller).await {
            Ok(Some(user)) => Ok(UpdateProfileSuccess { user: User::new(user, viewer.session_id) }.into()),
            Ok(None) => Err(unauthenticated("SESSION_ENDED", &AccessError::SessionEnded)),
            Err(UpdateProfileError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(UpdateProfileError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }

    /// Deletes the account and everything personal in it. There is no way back.
    async fn delete_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current password.")] input: DeleteAccountInput,
    ) -> Result<DeleteAccountResult> {
        let viewer = viewer(ctx).await?;
        let password = match input.password() {
            Ok(password) => password,
            Err(failure) => return Ok(mistaken(ctx, failure).await.into()),
        };
        match services(ctx).accounts.delete(viewer, password, &request(ctx).caller).await {
            Ok(ended) => {
                if let Some(cookie) = &request(ctx).refresh_cookie {
                    cookie.forget();
                }
                Ok(DeleteAccountSuccess { ended_sessions: count(ended) }.into())
            }
            Err(error @ DeleteAccountError::InvalidCredentials) => {
                Ok(AuthFailure::new(AuthErrorCode::InvalidCredentials, &error).into())
            }
            Err(DeleteAccountError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(DeleteAccountError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }
}

impl ChangePasswordInput {
    fn passwords(&self) -> Result<(Password, Password), AuthFailure> {
        validation::check(self)?;
        let current = Password::parse(&self.current_password).map_err(refuse("currentPassword"))?;
        let new = Password::parse(&self.new_password).map_err(refuse("newPassword"))?;
        Ok((current, new))
    }
}

impl RequestEmailChangeInput {
    fn address_and_password(&self) -> Result<(EmailAddress, Password), AuthFailure> {
        validation::check(self)?;
        let email = EmailAddress::parse(&self.new_email).map_err(refuse("newEmail"))?;
        let password = Password::parse(&self.current_password).map_err(refuse("currentPassword"))?;
        Ok((email, password))
    }
}

impl UpdateProfileInput {
    fn into_change(self) -> Result<ProfileChange, AuthFailure> {
        validation::check(&self)?;
        let name = match self.name {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => Some(PersonName::parse(&text).map_err(refuse("name"))?),
        };
        let locale = self.locale.as_deref().map(Locale::parse).transpose().map_err(refuse("locale"))?;
        Ok(ProfileChange { name, locale })
    }
}

impl DeleteAccountInput {
    fn password(&self) -> Result<Password, AuthFailure> {
        validation::check(self)?;
        Password::parse(&self.current_password).map_err(refuse("currentPassword"))
    }
}
