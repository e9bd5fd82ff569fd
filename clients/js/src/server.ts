/** What is said to the server: one POST an operation, and what its answers mean. */

import type { AuthErrorCode, FieldErrorCode } from "./codes.js";

/** An expected refusal, the same for every mutation. */
export interface AuthFailure {
  readonly __typename: "AuthFailure";
  /** Later servers may send codes that are not in this type: keep a default branch. */
  readonly code: AuthErrorCode;
  /** English, for developers. `describe` has texts for people. */
  readonly message: string;
  /** What is wrong with the input. Empty unless `code` is `VALIDATION_FAILED`. */
  readonly fields: readonly FieldError[];
  /** How long to wait; `null` when waiting does not help. */
  readonly retryAfterSeconds: number | null;
}

export interface FieldError {
  /** Below `input`, for example `["email"]`. */
  readonly path: readonly string[];
  readonly code: FieldErrorCode;
  readonly message: string;
}

export interface AuthTokens {
  readonly accessToken: string;
  readonly accessTokenExpiresAt: string;
  /** `null` where the server keeps it in a cookie. */
  readonly refreshToken: string | null;
}

/** An answer, and when the server gave it, in milliseconds by the server's own clock. */
export interface Answer<Result> {
  readonly result: Result;
  readonly serverTime: number | undefined;
}

/**
 * The server was not reached, or could not do its work. Nothing is known to have changed: keep what is on the screen, and
 * try again.
 */
export class AuthUnavailableError extends Error {
  override readonly name = "AuthUnavailableError";

  constructor(
    message: string,
    /** `NETWORK_FAULT`, or the code that the server gave, such as `SERVICE_UNAVAILABLE` or `RATE_LIMITED`. */
    readonly code: string,
    /** How long to wait, where the server said so. */
    readonly retryAfterSeconds: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const FAILURE = "... on AuthFailure { code message fields { path code message } retryAfterSeconds }";
const TOKENS = "tokens { accessToken accessTokenExpiresAt refreshToken }";

/** The four mutations, each with the type of its input, and what of its result is asked for. */
const OPERATIONS = {
  register: ["RegisterInput", "... on RegisterSuccess { email }"],
  login: ["LoginInput", `... on LoginSuccess { user { id email emailVerified name locale } ${TOKENS} }`],
  refresh: ["RefreshInput", `... on RefreshSuccess { ${TOKENS} }`],
  logout: ["LogoutInput", "... on LogoutSuccess { endedSessions }"],
} as const;

export interface ServerOptions {
  readonly url: string;
  /** Whether the server keeps refresh tokens in a cookie. */
  readonly cookie: boolean;
  readonly fetch: typeof fetch;
  /** How long an answer may take, in milliseconds. */
  readonly timeout: number;
}

/** Does one operation. Throws `AuthUnavailableError` for everything that is neither a success nor a refusal. */
export async function ask<Result>(
  server: ServerOptions,
  operation: keyof typeof OPERATIONS,
  input: object,
): Promise<Answer<Result | AuthFailure>> {
  const [type, selection] = OPERATIONS[operation];
  const name = operation[0]!.toUpperCase() + operation.slice(1);
  const query = `mutation ${name}($input: ${type}!) { ${operation}(input: $input) { __typename ${selection} ${FAILURE} } }`;
  let response: Response;
  let body: { data?: Record<string, Result | AuthFailure | null> | null; errors?: ServerError[] };
  try {
    response = await server.fetch(server.url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/graphql-response+json, application/json",
        ...(server.cookie && { "X-Token-Delivery": "cookie" }),
      },
      credentials: server.cookie ? "include" : "omit",
      body: JSON.stringify({ query, variables: { input } }),
      signal: AbortSignal.timeout(server.timeout),
    });
    body = await response.json();
  } catch (cause) {
    throw new AuthUnavailableError("the server was not reached", "NETWORK_FAULT", null, { cause });
  }
  const result = body.data?.[operation];
  if (!result) {
    const error = body.errors?.[0];
    const wait = error?.extensions?.retryAfterSeconds ?? (Number(response.headers.get("Retry-After")) || null);
    throw new AuthUnavailableError(
      error?.message ?? `the server answered with status ${response.status}`,
      error?.extensions?.code ?? "NETWORK_FAULT",
      wait,
    );
  }
  const date = Date.parse(response.headers.get("Date") ?? "");
  return { result, serverTime: Number.isNaN(date) ? undefined : date };
}

/** A top-level error. */
export interface ServerError {
  readonly message: string;
  readonly extensions?: { readonly code?: string; readonly retryAfterSeconds?: number };
}

/** Whether an answer says that its access token was missing, expired or revoked: the signal to refresh. */
export function isUnauthenticated(errors: readonly { extensions?: { code?: unknown } }[] | undefined): boolean {
  return errors?.some((error) => error.extensions?.code === "UNAUTHENTICATED") ?? false;
}
