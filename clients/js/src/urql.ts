/** For urql 5: `exchanges: [cacheExchange, authExchange(auth), fetchExchange]`. */

import { type Exchange, makeErrorResult, makeOperation, type Operation, type OperationResult } from "@urql/core";
import { filter, fromPromise, fromValue, makeSubject, merge, mergeMap, pipe, share, type Source, takeUntil } from "wonka";

import type { Auth } from "./auth.js";
import { isUnauthenticated } from "./server.js";

/** Kept in an operation's context: what it was sent with, and whether that was its second time. */
interface Sent {
  authql?: { token: string | null; isRepeated: boolean };
}

/** Sends the access token, and repeats once, with a new one, what the server refused for the old one. */
export function authExchange(auth: Pick<Auth, "getAccessToken" | "refresh">): Exchange {
  return ({ forward }) =>
    (operations$) => {
      const asked$ = pipe(operations$, share);
      const refused = makeSubject<OperationResult>();
      const failed = makeSubject<OperationResult>();

      /** The operation with its token, once there is one. Without one, a `refusal` stands; a fault is the operation's own. */
      const prepare = (operation: Operation, awaited: Promise<string | null>, refusal?: OperationResult) => {
        const settle = (token: string | null) => {
          if (token !== null || !refusal) return sentWith(operation, token, refusal !== undefined);
          failed.next(refusal);
          return null;
        };
        const fail = (error: Error) => {
          failed.next(makeErrorResult(operation, error));
          return null;
        };
        return pipe(
          fromPromise(awaited.then(settle, fail)),
          filter((ready) => ready !== null),
          takeUntil(pipe(asked$, filter(({ kind, key }) => kind === "teardown" && key === operation.key))),
        ) as Source<Operation>;
      };

      const first$ = pipe(
        asked$,
        mergeMap((operation) =>
          operation.kind === "teardown" ? fromValue(operation) : prepare(operation, auth.getAccessToken()),
        ),
      );
      const second$ = pipe(
        refused.source,
        mergeMap((result) => prepare(result.operation, auth.refresh(tokenOf(result)!), result)),
      );
      const answered$ = pipe(
        merge([first$, second$]),
        forward,
        filter((result) => {
          if (tokenOf(result) === null || !isUnauthenticated(result.error?.graphQLErrors)) return true;
          refused.next(result);
          return false;
        }),
      );
      return merge([answered$, failed.source]);
    };
}

/** The token that a result's operation may be repeated for. */
function tokenOf(result: OperationResult): string | null {
  const sent = (result.operation.context as Sent).authql;
  return sent && !sent.isRepeated ? sent.token : null;
}

function sentWith(operation: Operation, token: string | null, isRepeated: boolean): Operation {
  const { context } = operation;
  const options = typeof context.fetchOptions === "function" ? context.fetchOptions() : context.fetchOptions;
  const headers = new Headers(options?.headers);
  if (token !== null) headers.set("Authorization", `Bearer ${token}`);
  return makeOperation(operation.kind, operation, {
    ...context,
    fetchOptions: { ...options, headers: Object.fromEntries(headers) },
    authql: { token, isRepeated },
  } as Operation["context"]);
}
