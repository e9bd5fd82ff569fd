//! Everything a client can change: one file a family.

mod account;
mod authentication;
mod recovery;
mod registration;
mod sessions;

use async_graphql::MergedObject;

use self::account::AccountMutation;
use self::authentication::AuthenticationMutation;
use self::recovery::RecoveryMutation;
use self::registration::RegistrationMutation;
use self::sessions::SessionsMutation;

/// Everything a client can change. Expected failures arrive as `AuthFailure` in the result; only a missing or expired
/// session, a malformed request and server faults are top-level errors.
#[derive(MergedObject, Default)]
pub struct Mutation(
    RegistrationMutation,
    AuthenticationMutation,
    SessionsMutation,
    RecoveryMutation,
    AccountMutation,
);

/// How many sessions were ended, as GraphQL counts.
fn count(sessions: usize) -> i32 {
    i32::try_from(sessions).unwrap_or(i32::MAX)
}
