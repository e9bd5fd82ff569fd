/** For everything that takes a `fetch` of your own, such as graphql-request and Relay, and for services that verify the token. */

import type { Auth } from "./auth.js";
import { isUnauthenticated, type ServerError } from "./server.js";

/** Sends the access token, and repeats once, with a new one, what was refused for the old one. */
export function authFetch(auth: Pick<Auth, "getAccessToken" | "refresh">, send: typeof fetch = fetch): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const withToken = (token: string | null) => {
      const copy = request.clone();
      if (token !== null) copy.headers.set("Authorization", `Bearer ${token}`);
      return send(copy);
    };
    const token = await auth.getAccessToken();
    const response = await withToken(token);
    if (token === null || !(await isRefused(response))) return response;
    const next = await auth.refresh(token);
    return next === null ? response : withToken(next);
  };
}

/** By status, as services with REST do, or in the words of GraphQL. */
async function isRefused(response: Response): Promise<boolean> {
  if (response.status === 401) return true;
  if (!response.headers.get("Content-Type")?.includes("json")) return false;
  try {
    const body = (await response.clone().json()) as { errors?: readonly ServerError[] } | null;
    return isUnauthenticated(body?.errors);
  } catch {
    return false;
  }
}
