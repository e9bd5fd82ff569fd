/** For @apollo/client 4: `link: ApolloLink.from([authLink(auth), new HttpLink({ uri })])`. */

import { ApolloLink } from "@apollo/client";
import { concatMap, from, of } from "rxjs";

import type { Auth } from "./auth.js";
import { isUnauthenticated } from "./server.js";

/** Sends the access token, and repeats once, with a new one, what the server refused for the old one. */
export function authLink(auth: Pick<Auth, "getAccessToken" | "refresh">): ApolloLink {
  return new ApolloLink((operation, forward) => {
    const send = (token: string | null) => {
      if (token !== null) {
        operation.setContext(({ headers }) => ({ headers: { ...headers, authorization: `Bearer ${token}` } }));
      }
      return forward(operation);
    };
    return from(auth.getAccessToken()).pipe(
      concatMap((token) =>
        send(token).pipe(
          concatMap((result) => {
            if (token === null || !("errors" in result) || !isUnauthenticated(result.errors)) return of(result);
            return from(auth.refresh(token)).pipe(concatMap((next) => (next === null ? of(result) : send(next))));
          }),
        ),
      ),
    );
  });
}
