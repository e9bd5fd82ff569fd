/** People, and a network that does what a story needs. The server is a real one: `with-authql.js` says where. */

import { randomUUID } from "node:crypto";

import { createAuth, type Auth, type AuthOptions } from "../src/index.js";

export const url = `${process.env.AUTHQL_ORIGIN}/graphql`;

export const password = "correct horse battery staple";

/** Between a front end and the server. Counts, loses and damages what a test says. */
export class Network {
  /** Names of the operations that arrived at the server. */
  readonly arrived: string[] = [];
  /** Names of operations whose next answer is lost on the way back. */
  readonly losing: string[] = [];
  /** What the server is made to answer to an operation, once. */
  readonly forged = new Map<string, object>();
  /** Whether the access token of the next answer is damaged, so that the server will refuse it. */
  isDamaging = false;

  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const text = `${await request.clone().text()} ${decodeURIComponent(request.url)}`;
    const operation = /mutation[ +](\w+)/.exec(text)?.[1] ?? /query[ +](\w+)/.exec(text)?.[1] ?? "?";
    const forged = this.forged.get(operation);
    if (forged) {
      this.forged.delete(operation);
      return Response.json(forged);
    }
    const response = await fetch(request);
    this.arrived.push(operation);
    if (this.losing[0] === operation) {
      this.losing.shift();
      throw new TypeError("fetch failed");
    }
    if (!this.isDamaging) return response;
    this.isDamaging = false;
    const body = (await response.text()).replace(/("accessToken":"[^"]*)[^"]{4}"/, '$1AAAA"');
    return new Response(body, { headers: response.headers });
  };

  count(operation: string): number {
    return this.arrived.filter((name) => name === operation).length;
  }
}

export interface Person {
  readonly email: string;
  readonly network: Network;
  readonly auth: Auth;
  /** Why this person was signed out, each time. */
  readonly endings: string[];
}

/** Has an account, and is signed in unless a test says otherwise. */
export async function person(options: Partial<AuthOptions> & { signedIn?: boolean; damaged?: boolean } = {}): Promise<Person> {
  const { signedIn = true, damaged = false, ...rest } = options;
  const email = `${randomUUID()}@example.com`;
  const endings: string[] = [];
  const network = new Network();
  const auth = createAuth({
    url,
    storage: "memory",
    fetch: network.fetch,
    onSignedOut: (reason) => endings.push(reason),
    ...rest,
  });
  await auth.register({ email, password, name: "Ada" });
  if (signedIn) {
    network.isDamaging = damaged;
    await auth.login({ email, password });
  }
  return { email, network, auth, endings };
}

/** Asks the server itself, as another device would. */
export async function ask(query: string, token?: string | null): Promise<any> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query }),
  });
  return ((await response.json()) as { data: unknown }).data;
}

/** Whose token it is, if the server still takes it. */
export async function whoIs(token: string | null): Promise<string | null> {
  return (await ask("{ me { email } }", token)).me?.email ?? null;
}
