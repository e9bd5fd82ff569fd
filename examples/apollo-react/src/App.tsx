/** Which page is shown. */

import { useEffect } from "react";

import { Account } from "./Account";
import { auth, useAuthState } from "./auth";
import { Confirm } from "./Confirm";
import { SignIn } from "./SignIn";
import { useAction } from "./ui/useAction";
import { Waiting } from "./ui/Waiting";

export function App() {
  const state = useAuthState();
  // Where the links of mails lead.
  if (location.pathname === "/confirm") return <Confirm />;
  switch (state) {
    case "unknown":
      return <Opening />;
    case "signedIn":
      return <Account />;
    case "signedOut":
      return <SignIn />;
  }
}

/** Finds out whether somebody is signed in. A server that is away leaves that open. */
function Opening() {
  const { run, isRunning, problem } = useAction(auth.getAccessToken);
  useEffect(() => void run(), []);
  return <Waiting problem={isRunning ? undefined : problem} onRetry={() => void run()} />;
}
