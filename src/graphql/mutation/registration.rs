//! Creating accounts, and confirming their addresses.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject, Union};
use garde::Validate;

use crate::domain::{EmailAddress, Locale, Password, PersonName};
use crate::graphql::context::{request, services};
use crate::graphql::error::unexpected;
use crate::graphql::types::{AuthErrorCode, AuthFailure, FieldError};
use crate::graphql::validation::{self, mistaken, refuse};
use crate::services::{MailRequestError, MailTokenError, NewAccount, RegisterError};

/// The new account.
#[derive(InputObject, Validate)]
pub(super) struct RegisterInput {
    /// The address to sign in with; a mail goes to it.
    #[garde(custom(validation::email))]
    email: String,
    /// 8 to 256 characters that are hard to guess, in any script. It is never trimmed or cut.
    #[garde(custom(validation::password))]
    #[graphql(secret)]
    password: String,
    /// How the person wants to be called, at most 100 characters.
    #[garde(custom(validation::name))]
    name: Option<String>,
    /// The language of mails, a BCP 47 tag such as `en` or `ru`; English when left out.
    #[garde(custom(validation::locale))]
    locale: Option<String>,
}

/// The token.
#[derive(InputObject)]
pub(super) struct VerifyEmailInput {
    /// From the mail: what follows `verifyEmail=` in its link.
    #[graphql(secret)]
    token: String,
}

/// The address.
#[derive(InputObject, Validate)]
pub(super) struct ResendVerificationInput {
    /// The address that was registered.
    #[garde(custom(validation::email))]
    email: String,
}

/// What `register` answers.
#[derive(Union)]
pub(super) enum RegisterResult {
    AuthFailure(AuthFailure),
    RegisterSuccess(RegisterSuccess),
}

/// What `verifyEmail` answers.
#[derive(Union)]
pub(super) enum VerifyEmailResult {
    AuthFailure(AuthFailure),
    VerifyEmailSuccess(VerifyEmailSuccess),
}

/// What `resendVerification` answers.
#[derive(Union)]
pub(super) enum ResendVerificationResult {
    AuthFailure(AuthFailure),
    ResendVerificationSuccess(ResendVerificationSuccess),
}

/// The address has mail: a welcome, or a note that it already had an account. Call `login` next.
#[derive(SimpleObject)]
pub(super) struct RegisterSuccess {
    /// The address as the server understood it.
    email: String,
}

/// The address is confirmed.
#[derive(SimpleObject)]
pub(super) struct VerifyEmailSuccess {
    /// The address that is confirmed.
    email: String,
}

/// If the address has an account and needs confirming, a mail is on its way.
#[derive(SimpleObject)]
pub(super) struct ResendVerificationSuccess {
    /// The address as the server understood it.
    email: String,
}

#[derive(Default)]
pub(super) struct RegistrationMutation;

#[Object]
impl RegistrationMutation {
    /// Creates an account, and mails its owner. Answers the same for an address that already has one: then that account's
    /// owner is told by mail, and nothing changes.
    async fn register(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new account.")] input: RegisterInput,
    ) -> Result<RegisterResult> {
        let account = match input.account() {
            Ok(account) => account,
            Err(failure) => return Ok(input.all_mistakes(ctx, failure).await?.into()),
        };
        let email = account.email.as_str().to_owned();
        match services(ctx).registration.register(account, &request(ctx).caller).await {
            Ok(()) => Ok(RegisterSuccess { email }.into()),
            Err(error @ RegisterError::EmailTaken) => {
                Ok(AuthFailure::new(AuthErrorCode::EmailTaken, &error).into())
            }
            Err(RegisterError::Weak(weakness)) => Ok(refuse("password")(weakness).into()),
            Err(RegisterError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(RegisterError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }

    /// Confirms an e-mail address with the token from the mail.
    async fn verify_email(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: VerifyEmailInput,
    ) -> Result<VerifyEmailResult> {
        match services(ctx).registration.verify_email(&input.token, &request(ctx).caller).await {
            Ok(email) => Ok(VerifyEmailSuccess { email: email.as_str().to_owned() }.into()),
            Err(error @ MailTokenError::Invalid) => {
                Ok(AuthFailure::new(AuthErrorCode::MailTokenInvalid, &error).into())
            }
            Err(MailTokenError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(MailTokenError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }

    /// Mails a new confirmation. Answers the same whether or not the address has an account.
    async fn resend_verification(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address.")] input: ResendVerificationInput,
    ) -> Result<ResendVerificationResult> {
        let email = match validation::address(&input, &input.email) {
            Ok(email) => email,
            Err(failure) => return Ok(mistaken(ctx, failure).await.into()),
        };
        match services(ctx).registration.resend_verification(&email, &request(ctx).caller).await {
            Ok(()) => Ok(ResendVerificationSuccess { email: email.as_str().to_owned() }.into()),
            Err(MailRequestError::RateLimited(limited)) => Ok(AuthFailure::rate_limited(limited).into()),
            Err(MailRequestError::Unexpected(error)) => Err(unexpected(ctx, &error)),
        }
    }
}

impl RegisterInput {
    /// What is wrong with the form, and what is wrong with its password besides: all fields at once.
    async fn all_mistakes(&self, ctx: &Context<'_>, mut failure: AuthFailure) -> Result<AuthFailure> {
        let known = [Some(&self.email), self.name.as_ref()]
            .into_iter()
            .flatten()
            .map(|text| validation::excerpt(text));
        let (password, known) = (Password::parse(&self.password).ok(), known.collect());
        let registration = &services(ctx).registration;
        match registration.judge_with_mistakes(password, known, &request(ctx).caller).await {
            Ok(()) | Err(RegisterError::EmailTaken) => {}
            Err(RegisterError::Weak(weakness)) => {
                let problem = FieldError::new("password", weakness.into());
                let place = failure.fields.iter().take_while(|field| field.is_about("email")).count();
                failure.fields.insert(place, problem);
            }
            Err(RegisterError::RateLimited(limited)) => return Ok(AuthFailure::rate_limited(limited)),
            Err(RegisterError::Unexpected(error)) => return Err(unexpected(ctx, &error)),
        }
        Ok(failure)
    }

    fn account(&self) -> Result<NewAccount, AuthFailure> {
        validation::check(self)?;
        Ok(NewAccount {
            email: EmailAddress::parse(&self.email).map_err(refuse("email"))?,
            password: Password::parse(&self.password).map_err(refuse("password"))?,
            name: PersonName::parse(self.name.as_deref().unwrap_or_default()).map_err(refuse("name"))?,
            locale: self
                .locale
                .as_deref()
                .map_or(Ok(Locale::default()), Locale::parse)
                .map_err(refuse("locale"))?,
        })
    }
}
