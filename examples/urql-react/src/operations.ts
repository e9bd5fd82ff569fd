/** What is asked of the server. graphql-codegen makes the types of variables and results from it: `npm run codegen`. */

import { graphql } from "./gql";

graphql(`
  fragment Failure on AuthFailure {
    code
    message
    fields {
      path
      code
      message
    }
    retryAfterSeconds
  }
`);

export const ME = graphql(`
  query Me {
    me {
      id
      email
      emailVerified
      name
      sessions {
        edges {
          node {
            id
            device
            ipAddress
            lastUsedAt
            current
          }
        }
      }
    }
  }
`);

export const REVOKE_SESSION = graphql(`
  mutation RevokeSession($input: RevokeSessionInput!) {
    revokeSession(input: $input) {
      __typename
      ... on RevokeSessionSuccess {
        session {
          id
        }
      }
      ...Failure
    }
  }
`);

export const CHANGE_PASSWORD = graphql(`
  mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) {
      __typename
      ... on ChangePasswordSuccess {
        endedSessions
      }
      ...Failure
    }
  }
`);

export const RESEND_VERIFICATION = graphql(`
  mutation ResendVerification($input: ResendVerificationInput!) {
    resendVerification(input: $input) {
      __typename
      ... on ResendVerificationSuccess {
        email
      }
      ...Failure
    }
  }
`);

export const REQUEST_PASSWORD_RESET = graphql(`
  mutation RequestPasswordReset($input: RequestPasswordResetInput!) {
    requestPasswordReset(input: $input) {
      __typename
      ... on RequestPasswordResetSuccess {
        email
      }
      ...Failure
    }
  }
`);

export const VERIFY_EMAIL = graphql(`
  mutation VerifyEmail($input: VerifyEmailInput!) {
    verifyEmail(input: $input) {
      __typename
      ... on VerifyEmailSuccess {
        email
      }
      ...Failure
    }
  }
`);

export const RESET_PASSWORD = graphql(`
  mutation ResetPassword($input: ResetPasswordInput!) {
    resetPassword(input: $input) {
      __typename
      ... on ResetPasswordSuccess {
        endedSessions
      }
      ...Failure
    }
  }
`);

export const CONFIRM_EMAIL_CHANGE = graphql(`
  mutation ConfirmEmailChange($input: ConfirmEmailChangeInput!) {
    confirmEmailChange(input: $input) {
      __typename
      ... on ConfirmEmailChangeSuccess {
        email
      }
      ...Failure
    }
  }
`);
