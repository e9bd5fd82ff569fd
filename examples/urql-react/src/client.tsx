/** urql, with the access token on everything it sends. */

import { type ReactNode, useEffect, useState } from "react";
import { authExchange } from "authql-client/urql";
import { cacheExchange, Client, fetchExchange, Provider } from "urql";

import { auth } from "./auth";

function createClient(): Client {
  return new Client({ url: "/graphql", exchanges: [cacheExchange, authExchange(auth), fetchExchange] });
}

/** Each sign-in has a client of its own, so that nothing one person has seen is shown to the next. */
export function GraphQL({ children }: { children: ReactNode }) {
  const [client, setClient] = useState(createClient);
  useEffect(() => auth.subscribe((state) => state === "signedOut" && setClient(createClient())), []);
  return <Provider value={client}>{children}</Provider>;
}
