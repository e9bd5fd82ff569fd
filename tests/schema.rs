//! The checked-in schema: what the code exports, complete and described.

use std::fs;
use std::path::Path;

#[test]
fn the_checked_in_schema_is_that_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let checked_in = fs::read_to_string(file).unwrap();
    assert!(
        checked_in == authql::graphql::sdl(),
        "schema.graphql differs from the code: run `cargo run -- schema > schema.graphql`"
    );
}

#[test]
fn everything_in_the_schema_is_described() {
    let sdl = authql::graphql::sdl();
    let mut described = false;
    let mut in_description = false;
    let mut checked = 0;
    for line in sdl.lines().map(str::trim) {
        let quotes = line.matches("\"\"\"").count();
        if in_description || quotes > 0 {
            in_description ^= quotes == 1;
            described = true;
        } else if line.starts_with('"') {
            assert!(line.len() > 8, "a description that says nothing: {line}");
            described = true;
        } else if line.is_empty() || line.starts_with([')', '}']) {
            // The end of what was described.
        } else if line.starts_with("schema") {
            break;
        } else {
            assert!(described, "without a description: {line}");
            checked += 1;
            described = false;
        }
    }
    assert!(checked > 60, "only {checked} definitions were found");
}

#[test]
fn each_operation_of_the_contract_is_there_with_its_types() {
    let squeezed: String = authql::graphql::sdl().split_whitespace().collect::<Vec<_>>().join(" ");
    for signature in [
        "me: User ",
        "register( \"The new account.\" input: RegisterInput! ): RegisterResult!",
        "login( \"The credentials.\" input: LoginInput! ): LoginResult!",
        "refresh( \"The refresh token, unless it travels in the cookie.\" input: RefreshInput! ): RefreshResult!",
        "logout( \"Which session to end.\" input: LogoutInput! ): LogoutResult!",
        "node( \"A global `id` taken from an earlier result.\" id: ID! ): Node ",
        "revokeSession( \"The session to end.\" input: RevokeSessionInput! ): RevokeSessionResult!",
        "interface Node {",
        "type User implements Node {",
        "type Session implements Node {",
        "type SecurityEvent implements Node {",
        "): SecurityEventConnection!",
        "): SessionConnection!",
        "edges: [SessionEdge!]!",
        "pageInfo: PageInfo!",
        "node: Session!",
        "union RevokeSessionResult = AuthFailure | RevokeSessionSuccess",
        "union RegisterResult = AuthFailure | RegisterSuccess",
        "verifyEmail( \"The token.\" input: VerifyEmailInput! ): VerifyEmailResult!",
        "union VerifyEmailResult = AuthFailure | VerifyEmailSuccess",
        "resendVerification( \"The address.\" input: ResendVerificationInput! ): ResendVerificationResult!",
        "union ResendVerificationResult = AuthFailure | ResendVerificationSuccess",
        "requestPasswordReset( \"The address.\" input: RequestPasswordResetInput! ): RequestPasswordResetResult!",
        "union RequestPasswordResetResult = AuthFailure | RequestPasswordResetSuccess",
        "resetPassword( \"Token and new password.\" input: ResetPasswordInput! ): ResetPasswordResult!",
        "union ResetPasswordResult = AuthFailure | ResetPasswordSuccess",
        "changePassword( \"Current and new password.\" input: ChangePasswordInput! ): ChangePasswordResult!",
        "union ChangePasswordResult = AuthFailure | ChangePasswordSuccess",
        "requestEmailChange( \"New address and current password.\" input: RequestEmailChangeInput! ): RequestEmailChangeResult!",
        "union RequestEmailChangeResult = AuthFailure | RequestEmailChangeSuccess",
        "confirmEmailChange( \"The token.\" input: ConfirmEmailChangeInput! ): ConfirmEmailChangeResult!",
        "union ConfirmEmailChangeResult = AuthFailure | ConfirmEmailChangeSuccess",
        "updateProfile( \"What to change; what is left out stays.\" input: UpdateProfileInput! ): UpdateProfileResult!",
        "union UpdateProfileResult = AuthFailure | UpdateProfileSuccess",
        "deleteAccount( \"The current password.\" input: DeleteAccountInput! ): DeleteAccountResult!",
        "union DeleteAccountResult = AuthFailure | DeleteAccountSuccess",
        "union LoginResult = AuthFailure | LoginSuccess",
        "union RefreshResult = AuthFailure | RefreshSuccess",
        "union LogoutResult = AuthFailure | LogoutSuccess",
        "scalar DateTime @specifiedBy(",
    ] {
        assert!(squeezed.contains(signature), "missing: {signature}");
    }
}
