/** Something that a person asks of the server: whether it is under way, and what became of it. */

import { useState } from "react";
import { describe, describeField, describeUnavailable } from "authql-client";

/** A failure, as authql-client and generated code both have it. */
interface Failure {
  __typename: "AuthFailure";
  code: string;
  message: string;
  fields: readonly { path: readonly string[]; code: string; message: string }[];
  retryAfterSeconds: number | null;
}

/** The successes among the results of an operation. */
export type Success<Result> = Exclude<Result, Failure | undefined>;

export interface Outcome {
  /** What went well, for people to read. */
  done?: string | undefined;
  /** What did not. */
  problem?: string;
  /** And where, by the name of the field. */
  fields?: Record<string, string>;
}

/** `onSuccess` may return what to tell the person. */
export function useAction<Arguments extends unknown[], Result>(
  send: (...args: Arguments) => Promise<Result>,
  onSuccess?: (result: Success<Result>) => string | void,
) {
  const [isRunning, setRunning] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>({});

  async function perform(...args: Arguments): Promise<Outcome> {
    try {
      const result = await send(...args);
      if (isFailure(result)) return refused(result);
      if (result === undefined) return { problem: describeUnavailable() };
      return { done: onSuccess?.(result as Success<Result>) || undefined };
    } catch {
      // A refusal is a result. What is thrown is a server that is away, or that could not do its work.
      return { problem: describeUnavailable() };
    }
  }

  async function run(...args: Arguments): Promise<Outcome> {
    setRunning(true);
    const next = await perform(...args);
    setOutcome(next);
    setRunning(false);
    return next;
  }

  return { ...outcome, isRunning, run };
}

function isFailure(result: unknown): result is Failure {
  return (result as Partial<Failure> | undefined | null)?.__typename === "AuthFailure";
}

function refused(failure: Failure): Outcome {
  const wait = failure.retryAfterSeconds === null ? "" : ` (${failure.retryAfterSeconds} s)`;
  return {
    problem: describe(failure) + wait,
    fields: Object.fromEntries(failure.fields.map((field) => [field.path.join("."), describeField(field)])),
  };
}
