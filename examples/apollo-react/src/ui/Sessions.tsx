/** Where a person is signed in. */

import { Action } from "./Action";

interface Session {
  id: string;
  device: string | null;
  ipAddress: string | null;
  lastUsedAt: string;
  current: boolean;
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function Sessions<Result>({ sessions, end }: { sessions: Session[]; end: (id: string) => Promise<Result> }) {
  return (
    <section>
      <h2>Where you are signed in</h2>
      <ul className="sessions">
        {sessions.map(({ id, device, ipAddress, lastUsedAt, current }) => {
          const name = device ?? "An unknown device";
          return (
            <li key={id}>
              <div>
                <strong>{name}</strong> {current && <em>this one</em>}
                <p className="hint">
                  {ipAddress !== null && `${ipAddress}, `}
                  <time dateTime={lastUsedAt}>{moment.format(new Date(lastUsedAt))}</time>
                </p>
              </div>
              {!current && <Action label="End this one" description={`End the session on ${name}`} send={() => end(id)} />}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
