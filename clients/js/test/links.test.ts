import assert from "node:assert/strict";
import { test } from "node:test";

import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { cacheExchange, Client, fetchExchange } from "@urql/core";

import type { Auth } from "../src/index.js";
import { authLink } from "../src/apollo.js";
import { authFetch } from "../src/fetch.js";
import { authExchange } from "../src/urql.js";
import { type Person, person, url } from "./support.js";

/** Asks one of ten different queries for the person's address; throws when it was refused. */
type Ask = (number: number) => Promise<string>;

const document = (number: number) => `query Me${number} { me { email a${number}: id } }`;

/** The libraries, each as its documentation sets it up. */
const LIBRARIES: Record<string, (auth: Auth, fetch: typeof globalThis.fetch) => Ask> = {
  "Apollo Client": (auth, fetch) => {
    const client = new ApolloClient({
      link: ApolloLink.from([authLink(auth), new HttpLink({ uri: url, fetch })]),
      cache: new InMemoryCache(),
    });
    return async (number) => {
      const { data } = await client.query<{ me: { email: string } }>({ query: gql(document(number)) });
      return data!.me.email;
    };
  },
  urql: (auth, fetch) => {
    const client = new Client({ url, fetch, exchanges: [cacheExchange, authExchange(auth), fetchExchange], preferGetMethod: true });
    return async (number) => {
      const { data, error } = await client.query<{ me: { email: string } }>(document(number), {});
      if (error) throw error;
      return data!.me.email;
    };
  },
  fetch: (auth, fetch) => {
    const send = authFetch(auth, fetch);
    return async (number) => {
      const response = await send(url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ query: document(number) }),
      });
      const { data, errors } = (await response.json()) as { data: { me: { email: string } | null }; errors?: unknown };
      if (!data.me) throw Object.assign(new Error("refused"), { errors });
      return data.me.email;
    };
  },
};

const ten = Array.from({ length: 10 }, (_, number) => number);

const askAll = ({ auth, network }: Person, library: (typeof LIBRARIES)[string]) =>
  Promise.allSettled(ten.map(library(auth, network.fetch)));

for (const [name, library] of Object.entries(LIBRARIES)) {
  test(`${name}: ten queries whose token was refused make one refresh, and succeed`, async () => {
    const ada = await person({ damaged: true });
    const answers = await askAll(ada, library);
    assert.deepEqual(answers, ten.map(() => ({ status: "fulfilled", value: ada.email })));
    assert.equal(ada.network.count("Refresh"), 1);
    assert.equal(ada.network.arrived.filter((operation) => operation.startsWith("Me")).length, 20);
  });

  test(`${name}: lost refreshes fail the queries, and the next ones succeed`, async () => {
    const ada = await person({ damaged: true });
    ada.network.losing.push(...ten.map(() => "Refresh"));
    const answers = await askAll(ada, library);
    assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set(["rejected"]));
    assert.deepEqual(ada.endings, []);
    ada.network.losing.length = 0;
    const again = await askAll(ada, library);
    assert.deepEqual(new Set(again.map((answer) => answer.status)), new Set(["fulfilled"]));
  });

  test(`${name}: what is refused again after a refresh is not tried for ever`, async () => {
    const ada = await person({ damaged: true });
    const { fetch } = ada.network;
    const ask = library(ada.auth, (input, init) => {
      ada.network.isDamaging = true;
      return fetch(input, init);
    });
    const refresh = ada.auth.refresh;
    const damaging: Auth = { ...ada.auth, refresh: (stale) => ((ada.network.isDamaging = true), refresh(stale)) };
    await assert.rejects(library(damaging, fetch)(0));
    assert.equal(ada.network.count("Refresh"), 1);
    assert.equal(await ask(1), ada.email, "and the session goes on");
  });

  test(`${name}: without a session the refusal itself arrives, and nothing is refreshed`, async () => {
    const ada = await person({ signedIn: false });
    await assert.rejects(library(ada.auth, ada.network.fetch)(0), (error: Error) => {
      assert.match(JSON.stringify(error instanceof CombinedGraphQLErrors ? error.errors : error), /TOKEN_MISSING/);
      return true;
    });
    assert.equal(ada.network.count("Refresh"), 0);
  });

  test(`${name}: when the session has ended, its requests fail with the refusal and the person is signed out`, async () => {
    const ada = await person({ damaged: true });
    ada.network.forged.set("Refresh", {
      data: { refresh: { __typename: "AuthFailure", code: "REFRESH_TOKEN_INVALID", message: "over", fields: [], retryAfterSeconds: null } },
    });
    const answers = await askAll(ada, library);
    assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set(["rejected"]));
    assert.deepEqual(ada.endings, ["REFRESH_TOKEN_INVALID"]);
  });
}
