//! Creating accounts.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject, Union};
use garde::Validate;

use crate::domain::{EmailAddress, Locale, Password, PersonName};
use crate::graphql::context::services;
use crate::graphql::error::unexpected;
use crate::graphql::types::AuthFailure;
use crate::graphql::validation::{self, InputRules, refuse};
use crate::services::NewAccount;

/// The new account.
#[derive(InputObject, Validate)]
#[garde(context(InputRules))]
pub(super) struct RegisterInput {
    /// The address to sign in with; a mail goes to it.
    #[garde(custom(validation::email))]
    email: String,
    /// 8 to 256 characters that are hard to guess, in any script. It is never trimmed or cut.
    #[garde(custom(validation::new_password(vec![&self.email, self.name.as_deref().unwrap_or_default()])))]
    #[graphql(secret)]
    password: String,
    /// How the person wants to be called, at most 100 characters.
    #[garde(custom(validation::name))]
    name: Option<String>,
    /// The language of mails, a BCP 47 tag such as `en` or `ru`; English when left out.
    #[garde(custom(validation::locale))]
    locale: Option<String>,
}

/// What `register` answers.
#[derive(Union)]
pub(super) enum RegisterResult {
    AuthFailure(AuthFailure),
    RegisterSuccess(RegisterSuccess),
}

/// The address has mail: a welcome, or a note that it already had an account. Call `login` next.
#[derive(SimpleObject)]
pub(super) struct RegisterSuccess {
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
        let account = match input.into_account(ctx.data_unchecked()) {
            Ok(account) => account,
            Err(failure) => return Ok(RegisterResult::AuthFailure(failure)),
        };
        let email = account.email.as_str().to_owned();
        match services(ctx).registration.register(account).await {
            Ok(()) => Ok(RegisterResult::RegisterSuccess(RegisterSuccess { email })),
            Err(error) => Err(unexpected(ctx, &error)),
        }
    }
}

impl RegisterInput {
    fn into_account(self, rules: &InputRules) -> Result<NewAccount, AuthFailure> {
        validation::check(&self, rules)?;
        Ok(NewAccount {
            email: EmailAddress::parse(&self.email).map_err(refuse("email"))?,
            password: Password::parse(&self.password).map_err(refuse("password"))?,
            name: PersonName::parse(&self.name.unwrap_or_default()).map_err(refuse("name"))?,
            locale: self
                .locale
                .as_deref()
                .map_or(Ok(Locale::default()), Locale::parse)
                .map_err(refuse("locale"))?,
        })
    }
}
