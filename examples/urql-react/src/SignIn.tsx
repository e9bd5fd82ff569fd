/** Signing in, making an account, and asking for a new password. */

import { useState } from "react";
import { describe } from "authql-client";

import { auth, lastGoodbye } from "./auth";
import { Forgotten } from "./Forgotten";
import { Form } from "./ui/Form";
import { Page } from "./ui/Page";

const EMAIL = { label: "E-mail address", type: "email", autoComplete: "username" } as const;

export function SignIn() {
  const [wanted, setWanted] = useState<"signIn" | "register" | "forgotten">("signIn");
  const [registered, setRegistered] = useState<string>();
  const notice =
    registered !== undefined
      ? `Nearly done: we have mailed a link to ${registered}. You can sign in already.`
      : lastGoodbye === "REFRESH_TOKEN_INVALID" || lastGoodbye === "REFRESH_TOKEN_REUSED"
        ? describe({ code: lastGoodbye, message: "" })
        : undefined;

  if (wanted === "forgotten") return <Forgotten onBack={() => setWanted("signIn")} />;

  if (wanted === "register") {
    return (
      <Page title="Make an account">
        <Form
          fields={{
            name: { label: "Name", autoComplete: "name", hint: "How you would like to be called; you may leave it out." },
            email: EMAIL,
            password: {
              label: "Password",
              type: "password",
              autoComplete: "new-password",
              hint: "At least 8 characters that are hard to guess. Spaces are welcome.",
            },
          }}
          action="Make the account"
          send={({ name, ...credentials }) => auth.register({ ...credentials, name: name || null, locale: navigator.language })}
          onSuccess={({ email }) => {
            setRegistered(email);
            setWanted("signIn");
          }}
        />
        <button className="link" onClick={() => setWanted("signIn")}>
          I have an account
        </button>
      </Page>
    );
  }

  return (
    <Page title="Sign in" notice={notice}>
      <Form
        fields={{ email: EMAIL, password: { label: "Password", type: "password", autoComplete: "current-password" } }}
        action="Sign in"
        send={auth.login}
      />
      <button className="link" onClick={() => setWanted("register")}>
        Make an account
      </button>
      <button className="link" onClick={() => setWanted("forgotten")}>
        I have forgotten my password
      </button>
    </Page>
  );
}
