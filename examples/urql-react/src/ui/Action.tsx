/** A button that asks something of the server. */

import { Outcomes } from "./Outcomes";
import { type Success, useAction } from "./useAction";

interface Props<Result> {
  label: string;
  /** What a screen reader says, where the label needs its surroundings to be understood. */
  description?: string;
  send: () => Promise<Result>;
  onSuccess?: (result: Success<Result>) => string | void;
}

export function Action<Result>({ label, description, send, onSuccess }: Props<Result>) {
  const sending = useAction(send, onSuccess);
  return (
    <>
      <button
        className="plain"
        aria-label={description}
        aria-disabled={sending.isRunning}
        onClick={() => void (sending.isRunning || sending.run())}
      >
        {label}
      </button>
      <Outcomes {...sending} />
    </>
  );
}
