/** The session of a front end: one object a page, which all tabs of a browser share through it. */

import { Access, now } from "./access.js";
import { ask, AuthUnavailableError, type AuthFailure, type AuthTokens, type ServerOptions } from "./server.js";
import { cookieStorage, indexedDbStorage, memoryStorage, type TokenStorage } from "./storage.js";
import { alone, together, type Tabs } from "./tabs.js";

export interface AuthOptions {
  /** The GraphQL address of the server; in a browser it may be relative, such as `/graphql`. */
  url: string;
  /**
   * Where the refresh token lives: in the browser's database, in an HttpOnly cookie of the server, in memory (tests, Node), or
   * where you say.
   */
  storage: "indexeddb" | "cookie" | "memory" | TokenStorage;
  /** Called in every tab when a session has ended, before `state` changes: the place to note why. */
  onSignedOut?: (reason: SignedOutReason) => void;
  fetch?: typeof fetch;
  /** How long an answer may take before it counts as lost, in milliseconds; 15 seconds when left out. */
  timeout?: number;
}

/** `unknown` until the first access token has been asked for. */
export type AuthState = "unknown" | "signedIn" | "signedOut";

/** By `logout` in any tab, or because the server refused to go on. */
export type SignedOutReason = "LOGOUT" | "REFRESH_TOKEN_INVALID" | "REFRESH_TOKEN_REUSED";

export interface RegisterInput {
  email: string;
  password: string;
  name?: string | null;
  locale?: string | null;
}
export interface RegisterSuccess {
  readonly __typename: "RegisterSuccess";
  readonly email: string;
}
export interface LoginSuccess {
  readonly __typename: "LoginSuccess";
  readonly user: {
    readonly id: string;
    readonly email: string;
    readonly emailVerified: boolean;
    readonly name: string | null;
    readonly locale: string;
  };
}
export interface LogoutSuccess {
  readonly __typename: "LogoutSuccess";
  readonly endedSessions: number;
}

/** Every method throws `AuthUnavailableError` when the server cannot be asked; that never ends a session. */
export interface Auth {
  register(input: RegisterInput): Promise<RegisterSuccess | AuthFailure>;
  login(input: { email: string; password: string }): Promise<LoginSuccess | AuthFailure>;
  /** Ends the session on the server, and then in all tabs. */
  logout(options?: { everywhere?: boolean }): Promise<LogoutSuccess | AuthFailure>;
  /** A token that is good for a while, refreshed if need be; `null` when nobody is signed in. */
  getAccessToken(): Promise<string | null>;
  /**
   * What to use instead of `stale`, a token that the server refused. However many requests ask, one refresh answers them.
   * `null` when there is nothing: nobody is signed in any more, or somebody else is.
   */
  refresh(stale?: string): Promise<string | null>;
  readonly state: AuthState;
  /** Calls `listener` at every change of `state`, until the function that is returned is called. */
  subscribe(listener: (state: AuthState) => void): () => void;
}

/** Between tabs. Each has clocks of its own, so that what is left of a token's life travels. */
type Message = { type: "tokens"; token: string; left: number; isNewSession: boolean } | { type: "end"; reason: SignedOutReason };

export function createAuth(options: AuthOptions): Auth {
  const server: ServerOptions = {
    url: options.url,
    cookie: options.storage === "cookie",
    fetch: options.fetch ?? ((...request) => fetch(...request)),
    timeout: options.timeout ?? 15_000,
  };
  const name = `authql ${options.url}`;
  const storage = storageFor(options.storage, name);
  const tabs: Tabs<Message> = options.storage === "memory" ? alone() : together(name, hear);

  let state: AuthState = "unknown";
  let access: Access | null = null;
  // Tokens of the session that goes on. A request that was sent for an earlier one is not repeated with another's token.
  const tokensOfSession = new Set<string>();
  let refreshing: Promise<string | null> | null = null;
  const listeners = new Set<(state: AuthState) => void>();

  function enter(next: AuthState): void {
    if (state === next) return;
    state = next;
    for (const listener of [...listeners]) listener(next);
  }

  function begin(next: Access, isNewSession: boolean): void {
    if (isNewSession && access) {
      forget();
      enter("signedOut");
    }
    access = next;
    tokensOfSession.add(next.token);
    enter("signedIn");
  }

  function forget(): void {
    access = null;
    tokensOfSession.clear();
  }

  function end(reason: SignedOutReason): void {
    // A cookie that was never there is refused as well: nothing that anybody would want to hear of.
    const matters = state === "signedIn" || reason === "REFRESH_TOKEN_REUSED";
    forget();
    if (matters) options.onSignedOut?.(reason);
    enter("signedOut");
  }

  function hear(message: Message): void {
    if (message.type === "tokens") begin(new Access(message.token, message.left), message.isNewSession);
    else if (state !== "signedOut") end(message.reason);
  }

  /** Stores first: once the server has seen the access token, it takes the refresh token before this one for stolen. */
  async function adopt(tokens: AuthTokens, next: Access, isNewSession: boolean): Promise<void> {
    if (tokens.refreshToken !== null) await storage.write(tokens.refreshToken);
    begin(next, isNewSession);
    tabs.tell({ type: "tokens", token: next.token, left: next.left(), isNewSession });
  }

  async function renew(before: Access | null): Promise<string | null> {
    // While this tab waited for its turn, another one has done the work.
    if (access && access !== before) return access.token;
    const presented = await storage.read();
    if (presented === null) {
      end("LOGOUT");
      return null;
    }
    const sent = now();
    const answer = await ask<{ __typename: "RefreshSuccess"; tokens: AuthTokens }>(server, "refresh", {
      refreshToken: presented,
    });
    const { result } = answer;
    if (result.__typename === "RefreshSuccess") {
      const next = Access.from(result.tokens, answer, sent);
      await adopt(result.tokens, next, false);
      return next.token;
    }
    if (result.code !== "REFRESH_TOKEN_INVALID" && result.code !== "REFRESH_TOKEN_REUSED") {
      throw new AuthUnavailableError(result.message, result.code, result.retryAfterSeconds);
    }
    // Without Web Locks a login in another tab may have come in between: then its token is the one to present.
    if ((await storage.read()) !== presented) return renew(before);
    await storage.clear();
    end(result.code);
    tabs.tell({ type: "end", reason: result.code });
    return null;
  }

  async function refresh(stale?: string): Promise<string | null> {
    if (stale !== undefined && !tokensOfSession.has(stale)) return null;
    if (stale !== undefined && access && access.token !== stale) return access.token;
    const before = access;
    refreshing ??= tabs.inTurn(() => renew(before)).finally(() => (refreshing = null));
    const token = await refreshing;
    return stale === undefined || tokensOfSession.has(stale) ? token : null;
  }

  return {
    async register(input) {
      return (await ask<RegisterSuccess>(server, "register", input)).result;
    },

    async login(input) {
      const sent = now();
      const answer = await ask<LoginSuccess & { tokens: AuthTokens }>(server, "login", input);
      const { result } = answer;
      if (result.__typename === "AuthFailure") return result;
      const { tokens, ...success } = result;
      await tabs.inTurn(() => adopt(tokens, Access.from(tokens, answer, sent), true));
      return success;
    },

    logout({ everywhere = false } = {}) {
      return tabs.inTurn(async () => {
        const refreshToken = await storage.read();
        const nothing: LogoutSuccess = { __typename: "LogoutSuccess", endedSessions: 0 };
        const result =
          refreshToken === null ? nothing : (await ask<LogoutSuccess>(server, "logout", { refreshToken, everywhere })).result;
        if (result.__typename === "LogoutSuccess") {
          await storage.clear();
          end("LOGOUT");
          tabs.tell({ type: "end", reason: "LOGOUT" });
        }
        return result;
      });
    },

    async getAccessToken() {
      if (state === "signedOut") return null;
      if (access && !access.isEnding()) return access.token;
      return refresh().catch((error: unknown) => {
        // What is left of the old one may last until the server is there again.
        if (access && access.left() > 0) return access.token;
        throw error;
      });
    },

    refresh,

    get state() {
      return state;
    },

    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function storageFor(storage: AuthOptions["storage"], name: string): TokenStorage {
  switch (storage) {
    case "indexeddb":
      return indexedDbStorage(name);
    case "cookie":
      return cookieStorage;
    case "memory":
      return memoryStorage();
    default:
      return storage;
  }
}
