// Written by `npm run codes` from schema.graphql.

/** Why an operation was refused. Values may be added: keep a default branch. */
export type AuthErrorCode =
  /** The password was right, but this server wants the address confirmed first. */
  | "EMAIL_NOT_VERIFIED"
  /** An account with this address exists. Told only where the operator has chosen to tell. */
  | "EMAIL_TAKEN"
  /** Address and password do not belong together. Deliberately the same for an unknown address. */
  | "INVALID_CREDENTIALS"
  /** The token from the mail is unknown, used or expired. Ask for a new mail. */
  | "MAIL_TOKEN_INVALID"
  /** There is no such object, or it belongs to someone else. */
  | "NOT_FOUND"
  /** Too many attempts; see `retryAfterSeconds`. */
  | "RATE_LIMITED"
  /** The refresh token is unknown, expired or revoked. Show the login form. */
  | "REFRESH_TOKEN_INVALID"
  /** The refresh token had been used before. The session has been ended as a precaution. */
  | "REFRESH_TOKEN_REUSED"
  /** At least one input field is unacceptable; see `fields`. */
  | "VALIDATION_FAILED";

/** Why an input field was refused. Values may be added: keep a default branch. */
export type FieldErrorCode =
  /** It is not written like what it should be. */
  | "INVALID_FORMAT"
  /** It must not be empty. */
  | "REQUIRED"
  /** It is among the first that an attacker would try. */
  | "TOO_COMMON"
  /** It has too many characters. */
  | "TOO_LONG"
  /** It has too few characters. */
  | "TOO_SHORT";
