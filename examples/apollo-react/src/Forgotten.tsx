/** Asking for a link to set a new password. The answer is the same whether or not the address has an account. */

import { useMutation } from "@apollo/client/react";

import { REQUEST_PASSWORD_RESET } from "./operations";
import { Form } from "./ui/Form";
import { Page } from "./ui/Page";

export function Forgotten({ onBack }: { onBack: () => void }) {
  const [requestPasswordReset] = useMutation(REQUEST_PASSWORD_RESET);
  return (
    <Page title="A new password">
      <Form
        fields={{ email: { label: "E-mail address", type: "email", autoComplete: "username" } }}
        action="Mail me a link"
        send={async (input) => (await requestPasswordReset({ variables: { input } })).data?.requestPasswordReset}
        onSuccess={({ email }) => `If ${email} has an account, a link to set a new password is on its way there.`}
      />
      <button className="link" onClick={onBack}>
        Back to signing in
      </button>
    </Page>
  );
}
