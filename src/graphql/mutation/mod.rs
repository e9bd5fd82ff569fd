//! Everything a client can change: one file a family.

mod authentication;
mod registration;
mod sessions;

use async_graphql::MergedObject;

use self::authentication::AuthenticationMutation;
use self::registration::RegistrationMutation;
use self::sessions::SessionsMutation;

/// Everything a client can change. Expected failures arrive as `AuthFailure` in the result; only a missing or expired
/// session, a malformed request and server faults are top-level errors.
#[derive(MergedObject, Default)]
pub struct Mutation(RegistrationMutation, AuthenticationMutation, SessionsMutation);
