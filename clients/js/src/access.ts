/** An access token and how long it lives, whatever this device believes the time to be. */

import type { Answer, AuthTokens } from "./server.js";

/** The most that is kept back for the way to the server, in milliseconds. */
const MARGIN = 30_000;

/** Both clocks of the device. The first stops while some devices sleep, the second is set by people. */
export interface Moment {
  readonly running: number;
  readonly wall: number;
}

export function now(): Moment {
  return { running: performance.now(), wall: Date.now() };
}

export class Access {
  constructor(
    readonly token: string,
    /** Milliseconds from `since`. */
    readonly life: number,
    private readonly since: Moment = now(),
  ) {}

  /** From an answer to a request that was sent at `sent`: the token is younger than that. */
  static from(tokens: AuthTokens, answer: Answer<unknown>, sent: Moment): Access {
    const issued = answer.serverTime ?? issuedAt(tokens.accessToken) ?? Date.now();
    return new Access(tokens.accessToken, Date.parse(tokens.accessTokenExpiresAt) - issued, sent);
  }

  /** Milliseconds that are left of its life. */
  left(): number {
    const { running, wall } = now();
    return this.life - Math.max(running - this.since.running, wall - this.since.wall);
  }

  /** Whether to replace it before it is used again. */
  isEnding(): boolean {
    return this.left() < Math.min(MARGIN, this.life / 3);
  }
}

/** When the server issued a token: for answers whose Date header a page of another origin may not read. */
function issuedAt(token: string): number | undefined {
  try {
    const claims = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    const { iat } = JSON.parse(atob(claims)) as { iat?: number };
    return iat === undefined ? undefined : iat * 1000;
  } catch {
    return undefined;
  }
}
