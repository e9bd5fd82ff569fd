#!/usr/bin/env node
// Runs a command beside an authql of its own, on a free port and with nothing in it:
//
//   with-authql.js BINARY COMMAND [ARGUMENT...]
//
// The command finds the server's address in AUTHQL_ORIGIN, such as http://127.0.0.1:41234, and in FRONTEND_ORIGIN one that the
// server takes for that of a front end: links in mails lead there, and it may use cookies. Settings of the environment reach the
// server. The exit code is that of the command.
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const [binary, command, ...args] = process.argv.slice(2);
if (!binary || !command) {
  console.error("usage: with-authql.js BINARY COMMAND [ARGUMENT...]");
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "authql-"));
// As root, PostgreSQL runs as another user, who has to pass through.
chmodSync(folder, 0o711);

const frontend = await new Promise((found) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => found(`http://127.0.0.1:${port}`));
  });
});

const server = spawn(resolve(binary), ["serve"], {
  cwd: folder,
  env: {
    AUTHQL_LOG: "warn",
    // Dozens of people sign in from this one address.
    AUTHQL_RATE_LIMITS: "off",
    AUTHQL_FRONTEND_URL: frontend,
    AUTHQL_ALLOWED_ORIGINS: frontend,
    ...process.env,
    AUTHQL_LISTEN: "127.0.0.1:0",
    AUTHQL_DATA_DIR: join(folder, "data"),
  },
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = new Promise((done) => server.on("exit", done));
ended.then(() => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.kill());

const origin = await new Promise((found) => {
  let text = "";
  server.stdout.on("data", (bytes) => {
    text += bytes;
    const line = /GraphQL +(\S+)\/graphql\n/.exec(text);
    if (line) found(line[1]);
  });
  ended.then(() => found(undefined));
});
if (!origin) {
  console.error("authql did not start");
  process.exit(1);
}

const child = spawn(command, args, { stdio: "inherit", env: { ...process.env, AUTHQL_ORIGIN: origin, FRONTEND_ORIGIN: frontend } });
const code = await new Promise((done) => {
  child.on("error", (error) => {
    console.error(String(error));
    done(127);
  });
  child.on("exit", (exit) => done(exit ?? 1));
});
server.kill();
await ended;
process.exitCode = code;
