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

/** Where the front end is to be: the server has been told. */
const { hostname, port, origin: url } = new URL(process.env.FRONTEND_ORIGIN);

/** Serves what `npm run build` has made of an example, whose own proxy passes requests on to `api`. */
export async function serve(example, api = origin) {
  const root = fileURLToPath(new URL(`../../../examples/${example}`, import.meta.url));
  const vite = spawn(`${root}/node_modules/.bin/vite`, ["preview", "--host", hostname, "--port", port, "--strictPort"], {
    cwd: root,
    env: { ...process.env, AUTHQL_ORIGIN: api, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((done) => vite.on("exit", done));
  // What it complains of later is what a test does to its network.
  let complaints = "";
  vite.stderr.on("data", (bytes) => (complaints += bytes));
  await new Promise((ready, failed) => {
    vite.stdout.on("data", (bytes) => bytes.includes(url) && ready());
    ended.then(() => failed(new Error(`${example} is not served: ${complaints}`)));
  });
  const stop = () => (vite.kill(), ended);
  return { url, stop };
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
