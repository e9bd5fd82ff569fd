/** What a story needs: the real server, an example as its users build it, and people with browsers. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

/** Where the server is that `with-authql.js` has started. */
export const origin = process.env.AUTHQL_ORIGIN;

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

/** Why stories with a browser are left out; `false` where they are told. */
export const withoutBrowser =
  CHROMIUM === undefined && process.env.TESTS_NEED_SERVERS === undefined && "Chromium is not installed";

export function launch() {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Serves what `npm run build` has made of an example, with its own proxy to the server. */
export async function serve(example) {
  const root = fileURLToPath(new URL(`../../../examples/${example}`, import.meta.url));
  const vite = spawn(`${root}/node_modules/.bin/vite`, ["preview", "--host", "127.0.0.1", "--port", "0"], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await new Promise((found, failed) => {
    let text = "";
    vite.stdout.on("data", (bytes) => {
      text += bytes;
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
      if (address) found(address[0]);
    });
    vite.on("exit", () => failed(new Error(`${example} is not served: ${text}`)));
  });
  return { url, stop: () => vite.kill() };
}

/** The newest mail to an address, as soon as it is there. */
export async function mailTo(address, kind) {
  return eventually(async () => {
    const { mails } = await (await fetch(`${origin}/mailbox.json`)).json();
    return mails.find((mail) => mail.to.includes(address) && mail.kind === kind);
  });
}

/** What `look` finds, once it finds something. */
export async function eventually(look) {
  for (let tries = 0; tries < 200; tries++) {
    const found = await look();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`it never came: ${look}`);
}
