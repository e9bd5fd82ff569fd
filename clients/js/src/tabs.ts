/** What the tabs of a browser do together: take turns, and tell each other. */

export interface Tabs<Message> {
  /** Runs `work` while no other tab, and nothing else in this one, runs its own. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** Tells the other tabs. */
  tell(message: Message): void;
}

/** For storages that only this page can see. */
export function alone(): Tabs<unknown> {
  let last: Promise<unknown> = Promise.resolve();
  return {
    inTurn(work) {
      const next = last.then(work, work);
      last = next;
      return next;
    },
    tell() {},
  };
}

/**
 * All tabs that use the same `name`. Web Locks exist on https and localhost only; without them tabs still come to no harm,
 * because the server gives every tab that repeats a refresh the same answer.
 */
export function together<Message>(name: string, hear: (message: Message) => void): Tabs<Message> {
  const channel = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(name);
  if (channel) channel.onmessage = (event: MessageEvent<Message>) => hear(event.data);
  // In Node, listening alone is no reason to go on.
  (channel as { unref?(): void } | undefined)?.unref?.();
  const locks = typeof navigator === "undefined" ? undefined : (navigator.locks as LockManager | undefined);
  return {
    inTurn: locks ? (work) => locks.request(name, work) as ReturnType<typeof work> : alone().inTurn,
    tell: (message) => channel?.postMessage(message),
  };
}
