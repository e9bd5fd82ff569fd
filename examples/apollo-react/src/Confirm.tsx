/** Where links in mails lead: `/confirm#verifyEmail=TOKEN`. What follows the # never reaches a server's log, nor another site. */

import { useMutation } from "@apollo/client/react";

import { CONFIRM_EMAIL_CHANGE, RESET_PASSWORD, VERIFY_EMAIL } from "./operations";
import { Form } from "./ui/Form";
import { Page } from "./ui/Page";

export function Confirm() {
  const [verifyEmail] = useMutation(VERIFY_EMAIL);
  const [confirmEmailChange] = useMutation(CONFIRM_EMAIL_CHANGE);
  const [resetPassword] = useMutation(RESET_PASSWORD);
  const [mutation, token = ""] = location.hash.slice(1).split("=");
  const home = <a href="/">Continue</a>;

  switch (mutation) {
    case "verifyEmail":
      return (
        <Page title="Confirm your address">
          <Form
            fields={{}}
            action="Confirm"
            once
            send={async () => (await verifyEmail({ variables: { input: { token } } })).data?.verifyEmail}
            onSuccess={({ email }) => `${email} is confirmed. Thank you.`}
          />
          {home}
        </Page>
      );
    case "confirmEmailChange":
      return (
        <Page title="Confirm your new address">
          <Form
            fields={{}}
            action="Confirm"
            once
            send={async () => (await confirmEmailChange({ variables: { input: { token } } })).data?.confirmEmailChange}
            onSuccess={({ email }) => `From now on you sign in with ${email}.`}
          />
          {home}
        </Page>
      );
    case "resetPassword":
      return (
        <Page title="Choose a new password">
          <Form
            fields={{ newPassword: { label: "New password", type: "password", autoComplete: "new-password" } }}
            action="Set the password"
            once
            send={async (input) => (await resetPassword({ variables: { input: { ...input, token } } })).data?.resetPassword}
            onSuccess={() => "Your new password is set. Sign in with it."}
          />
          {home}
        </Page>
      );
    default:
      return (
        <Page title="This link is not complete">
          <p>Please open it from the mail again.</p>
          {home}
        </Page>
      );
  }
}
