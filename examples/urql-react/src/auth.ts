/** Who is signed in. */

import { useSyncExternalStore } from "react";
import { createAuth, type AuthState, type SignedOutReason } from "authql-client";

/** Why the last session ended, for the page that comes next to say. */
export let lastGoodbye: SignedOutReason | null = null;

export const auth = createAuth({
  url: "/graphql",
  // Or "cookie", where no script can read it: docs/browsers.md says what that takes.
  storage: "indexeddb",
  onSignedOut: (reason) => (lastGoodbye = reason),
});

export function useAuthState(): AuthState {
  return useSyncExternalStore(auth.subscribe, () => auth.state);
}
