/** A form whose fields are named like those of the mutation's input, so that each problem finds its field. */

import { type FormEvent, useId, useRef } from "react";

import { Outcomes } from "./Outcomes";
import { type Success, useAction } from "./useAction";

interface Field {
  label: string;
  type?: "text" | "email" | "password";
  autoComplete: string;
  hint?: string;
}

interface Props<Name extends string, Result> {
  fields: Record<Name, Field>;
  action: string;
  send: (values: Record<Name, string>) => Promise<Result>;
  /** May return what to tell the person. */
  onSuccess?: (result: Success<Result>) => string | void;
  /** Whether there is nothing to do again after a success. */
  once?: boolean;
}

export function Form<Name extends string, Result>({ fields, action, send, onSuccess, once }: Props<Name, Result>) {
  const sending = useAction(send, onSuccess);
  const form = useRef<HTMLFormElement>(null);
  const id = useId();

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (sending.isRunning) return;
    const values = Object.fromEntries(new FormData(event.currentTarget)) as Record<Name, string>;
    const outcome = await sending.run(values);
    if (outcome.problem === undefined) form.current?.reset();
    // Where there is something to mend is where to go on typing.
    const wrong = Object.keys(outcome.fields ?? {})[0];
    if (wrong !== undefined) form.current?.querySelector<HTMLInputElement>(`[name="${wrong}"]`)?.focus();
  }

  return (
    <form ref={form} onSubmit={(event) => void submit(event)} noValidate>
      {(Object.entries(fields) as [Name, Field][]).map(([name, { label, hint, type = "text", autoComplete }]) => {
        const problem = sending.fields?.[name];
        const [input, about] = [`${id}-${name}`, `${id}-${name}-about`];
        return (
          <div key={name} className="field">
            <label htmlFor={input}>{label}</label>
            <input
              id={input}
              name={name}
              type={type}
              autoComplete={autoComplete}
              aria-describedby={problem || hint ? about : undefined}
              aria-invalid={problem !== undefined}
            />
            {(problem || hint) && (
              <p id={about} className={problem ? "problem" : "hint"}>
                {problem ?? hint}
              </p>
            )}
          </div>
        );
      })}
      <Outcomes {...sending} />
      {!(once && sending.done) && <button aria-disabled={sending.isRunning}>{action}</button>}
    </form>
  );
}
