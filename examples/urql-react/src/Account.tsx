/** What a person sees of the own account. */

import { describeUnavailable } from "authql-client";
import { useMutation, useQuery } from "urql";

import { auth } from "./auth";
import { CHANGE_PASSWORD, ME, RESEND_VERIFICATION, REVOKE_SESSION } from "./operations";
import { Action } from "./ui/Action";
import { Form } from "./ui/Form";
import { Page } from "./ui/Page";
import { Sessions } from "./ui/Sessions";
import { useReturn } from "./ui/useReturn";
import { Waiting } from "./ui/Waiting";

export function Account() {
  const [{ data, error, fetching }, refetch] = useQuery({ query: ME, requestPolicy: "cache-and-network" });
  const [, resendVerification] = useMutation(RESEND_VERIFICATION);
  const [, revokeSession] = useMutation(REVOKE_SESSION);
  const [, changePassword] = useMutation(CHANGE_PASSWORD);
  const again = () => refetch({ requestPolicy: "network-only" });
  useReturn(again);

  const me = data?.me;
  if (!me) return <Waiting problem={error && !fetching ? describeUnavailable() : undefined} onRetry={again} />;
  return (
    <Page title={`Hello ${me.name ?? me.email}`}>
      <p>
        You are signed in as <strong>{me.email}</strong>
        {me.emailVerified ? "." : ", an address that is not confirmed yet."}
      </p>
      {!me.emailVerified && (
        <Action
          label="Mail the link again"
          send={async () => (await resendVerification({ input: { email: me.email } })).data?.resendVerification}
          onSuccess={({ email }) => `A link is on its way to ${email}.`}
        />
      )}

      <Sessions
        sessions={me.sessions.edges.map((edge) => edge.node)}
        end={async (id) => (await revokeSession({ input: { id } })).data?.revokeSession}
      />

      <section>
        <h2>Change your password</h2>
        <Form
          fields={{
            currentPassword: { label: "Current password", type: "password", autoComplete: "current-password" },
            newPassword: { label: "New password", type: "password", autoComplete: "new-password" },
          }}
          action="Change the password"
          send={async (input) => (await changePassword({ input }, { additionalTypenames: ["Session"] })).data?.changePassword}
          onSuccess={({ endedSessions }) => `Your password is changed. Other sessions that were ended: ${endedSessions}.`}
        />
      </section>

      <section>
        <h2>Leave</h2>
        <Action label="Sign out" send={() => auth.logout()} />
        <Action label="Sign out everywhere" send={() => auth.logout({ everywhere: true })} />
      </section>
    </Page>
  );
}
