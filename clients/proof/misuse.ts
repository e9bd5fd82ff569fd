/**
 * Mistakes with results, each of which must not compile: `tsc` fails on a line below `@ts-expect-error` that has no error. The
 * types are those that graphql-codegen's client preset makes for the examples.
 */

import type { ChangePasswordMutation, ChangePasswordMutationVariables, MeQuery } from "../../examples/apollo-react/src/gql/graphql";

declare const result: ChangePasswordMutation["changePassword"];
declare const query: MeQuery;

// @ts-expect-error: the success is taken for granted.
result.endedSessions;

// @ts-expect-error: so is the failure.
result.code;

if (result.__typename === "AuthFailure") {
  // @ts-expect-error: a failure has ended nothing.
  result.endedSessions;

  // @ts-expect-error: no such code.
  if (result.code === "WRONG_PASSWORD") throw new Error();

  // @ts-expect-error: how long to wait is not always known.
  const wait: number = result.retryAfterSeconds;
  void wait;
} else {
  const ended: number = result.endedSessions;
  void ended;
}

// @ts-expect-error: nobody may be signed in.
query.me.email;

// @ts-expect-error: a moment is text until it is parsed.
query.me?.sessions.edges[0]?.node.lastUsedAt.getTime();

// @ts-expect-error: the current password is missing.
export const variables: ChangePasswordMutationVariables = { input: { newPassword: "correct horse battery staple" } };
