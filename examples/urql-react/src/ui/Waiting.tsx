/** Shown until the server has answered, and when it does not. */

import { Page } from "./Page";

export function Waiting({ problem, onRetry }: { problem: string | undefined; onRetry: () => void }) {
  if (problem === undefined) return <Page title="One moment" />;
  return (
    <Page title="Not now">
      <p role="alert">{problem}</p>
      <button onClick={onRetry}>Try again</button>
    </Page>
  );
}
