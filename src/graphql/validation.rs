//! Checks of the form and the lengths of input, all fields at once, with garde. What is acceptable, the
//! [domain](crate::domain) says. Whether a new password is a good one costs too much to be asked here: services do, once they
//! have counted the attempt.

use async_graphql::resolver_utils::EnumType;
use async_graphql::{Context, MaybeUndefined};
use garde::Validate;

use super::context::{request, services};
use super::error::sentence;
use super::types::{AuthFailure, FieldError, FieldErrorCode};
use crate::domain::{
    EmailAddress, EmailAddressError, Locale, Password, PasswordError, PersonName, PersonNameError, Weakness,
};

/// The most characters of a text that a password is compared with: those of the longest address.
const MAX_EXCERPT: usize = 254;

/// What is wrong with one field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: FieldErrorCode,
    pub(super) message: String,
}

/// Checks the whole input.
pub(super) fn check<T: Validate<Context = ()>>(input: &T) -> Result<(), AuthFailure> {
    let Err(report) = input.validate() else { return Ok(()) };
    let problem = |(path, error): &(garde::Path, garde::Error)| {
        FieldError::new(&schema_spelling(&path.to_string()), Problem::from_garde(error))
    };
    Err(AuthFailure::validation(report.iter().map(problem).collect()))
}

/// The address of an input that has nothing else, checked.
pub(super) fn address<T: Validate<Context = ()>>(
    input: &T,
    email: &str,
) -> Result<EmailAddress, AuthFailure> {
    check(input)?;
    EmailAddress::parse(email).map_err(refuse("email"))
}

/// The refusal of a form with mistakes, which is counted: whoever sends nothing else meets a limit.
pub(super) async fn mistaken(ctx: &Context<'_>, failure: AuthFailure) -> AuthFailure {
    match services(ctx).limits.count_mistake(&request(ctx).caller).await {
        Ok(()) => failure,
        Err(limited) => AuthFailure::rate_limited(limited),
    }
}

/// The name of a field as clients know it: `newPassword` for `new_password`.
fn schema_spelling(path: &str) -> String {
    let mut words = path.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        name + &initial.to_ascii_uppercase() + rest
    })
}

/// The failure of one field, for a value that is built from it after the check.
pub(super) fn refuse<E: Into<Problem>>(path: &'static str) -> impl FnOnce(E) -> AuthFailure {
    move |error| AuthFailure::validation(vec![FieldError::new(path, error.into())])
}

/// As much of a text as is worth comparing a password with, whether or not it is what it should be.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(MAX_EXCERPT).collect()
}

/// A garde rule: the text is an address.
pub(super) fn email<C>(text: &str, _: &C) -> garde::Result {
    EmailAddress::parse(text).map(drop).map_err(|error| Problem::from(error).into_garde())
}

/// A garde rule: the text could be somebody's password.
pub(super) fn password<C>(text: &str, _: &C) -> garde::Result {
    Password::parse(text).map(drop).map_err(|error| Problem::from(error).into_garde())
}

/// A garde rule: the text, if any, is a name.
#[expect(clippy::ref_option, reason = "garde hands over the field as it is")]
pub(super) fn name<C>(text: &Option<String>, _: &C) -> garde::Result {
    let text = text.as_deref().unwrap_or_default();
    PersonName::parse(text).map(drop).map_err(|error| Problem::from(error).into_garde())
}

/// A garde rule: what the name is to change to, if anything, is a name.
pub(super) fn changed_name<C>(change: &MaybeUndefined<String>, _: &C) -> garde::Result {
    name(&change.value().cloned(), &())
}

/// A garde rule: the text, if any, is a language tag.
#[expect(clippy::ref_option, reason = "garde hands over the field as it is")]
pub(super) fn locale<C>(text: &Option<String>, _: &C) -> garde::Result {
    let Some(text) = text else { return Ok(()) };
    Locale::parse(text).map(drop).map_err(|error| Problem::from(error).into_garde())
}

impl Problem {
    fn new(code: FieldErrorCode, reason: &dyn std::error::Error) -> Self {
        Self { code, message: sentence(reason) }
    }

    /// garde's errors are texts, so the code travels in front of the message.
    fn into_garde(self) -> garde::Error {
        let code =
            FieldErrorCode::items().iter().find(|item| item.value == self.code).map_or("", |item| item.name);
        garde::Error::new(format!("{code} {}", self.message))
    }

    fn from_garde(error: &garde::Error) -> Self {
        let text = error.message();
        let (name, message) = text.split_once(' ').unwrap_or((text, ""));
        let item = FieldErrorCode::items().iter().find(|item| item.name == name);
        match item {
            Some(item) => Self { code: item.value, message: message.to_owned() },
            // One of garde's own rules.
            None => Self { code: FieldErrorCode::InvalidFormat, message: text.to_owned() },
        }
    }
}

impl From<EmailAddressError> for Problem {
    fn from(error: EmailAddressError) -> Self {
        let code = match error {
            EmailAddressError::Missing => FieldErrorCode::Required,
            EmailAddressError::TooLong => FieldErrorCode::TooLong,
            EmailAddressError::Malformed => FieldErrorCode::InvalidFormat,
        };
        Self::new(code, &error)
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        let code = match error {
            PasswordError::Missing => FieldErrorCode::Required,
            PasswordError::TooLong => FieldErrorCode::TooLong,
            PasswordError::Malformed => FieldErrorCode::InvalidFormat,
        };
        Self::new(code, &error)
    }
}

impl From<Weakness> for Problem {
    fn from(weakness: Weakness) -> Self {
        let code = match weakness {
            Weakness::TooShort { .. } => FieldErrorCode::TooShort,
            Weakness::TooCommon { .. } => FieldErrorCode::TooCommon,
        };
        Self::new(code, &weakness)
    }
}

impl From<PersonNameError> for Problem {
    fn from(error: PersonNameError) -> Self {
        let code = match error {
            PersonNameError::TooLong => FieldErrorCode::TooLong,
            PersonNameError::Malformed => FieldErrorCode::InvalidFormat,
        };
        Self::new(code, &error)
    }
}

impl From<crate::domain::LocaleError> for Problem {
    fn from(error: crate::domain::LocaleError) -> Self {
        Self::new(FieldErrorCode::InvalidFormat, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_as_in_the_schema() {
        for (field, name) in [("email", "email"), ("new_password", "newPassword"), ("a_b_c", "aBC")] {
            assert_eq!(schema_spelling(field), name);
        }
    }

    #[test]
    fn a_problem_survives_its_way_through_garde() {
        for item in FieldErrorCode::items() {
            let problem = || Problem::new(item.value, &std::fmt::Error);
            assert_eq!(Problem::from_garde(&problem().into_garde()), problem());
        }
    }
}
