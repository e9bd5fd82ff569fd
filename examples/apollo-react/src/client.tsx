/** Apollo Client, with the access token on everything it sends. */

import { type ReactNode, useEffect, useState } from "react";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { ApolloProvider } from "@apollo/client/react";
import { authLink } from "authql-client/apollo";

import { auth } from "./auth";

function createClient(): ApolloClient {
  return new ApolloClient({
    link: ApolloLink.from([authLink(auth), new HttpLink({ uri: "/graphql" })]),
    cache: new InMemoryCache(),
  });
}

/** Each sign-in has a client of its own, so that nothing one person has seen is shown to the next. */
export function GraphQL({ children }: { children: ReactNode }) {
  const [client, setClient] = useState(createClient);
  useEffect(() => auth.subscribe((state) => state === "signedOut" && setClient(createClient())), []);
  return <ApolloProvider client={client}>{children}</ApolloProvider>;
}
