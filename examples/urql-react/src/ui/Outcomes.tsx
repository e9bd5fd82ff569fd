/** What became of an action. Both places are always on the page, so that screen readers say what appears in them. */

import type { Outcome } from "./useAction";

export function Outcomes({ done, problem }: Outcome) {
  return (
    <>
      <p role="status" className="done">
        {done}
      </p>
      <p role="alert" className="problem">
        {problem}
      </p>
    </>
  );
}
