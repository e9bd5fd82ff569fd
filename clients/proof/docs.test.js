/**
 * The pages of docs/clients and the README, done as they say: each block of code that begins with the name of a file becomes
 * that file, all of a page are compiled with `tsc --strict`, and what can be run is run against the real server.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const origin = process.env.AUTHQL_ORIGIN;
const email = "ada@example.com";

/** Writes the files of a page into a folder of their own, for the server and the storage of this test. */
function unfold(page, resolution = { module: "nodenext" }) {
  const folder = path(`build/${page}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const text = readFileSync(path(`../../${page}`), "utf8");
  for (const [, name, code] of text.matchAll(/^```\w+\n(?:\/\/|#) (\S+\.\w+)\n(.*?)^```$/gms)) {
    const here = code.replaceAll("http://127.0.0.1:8080", origin).replaceAll('"indexeddb"', '"memory"');
    writeFileSync(`${folder}/${name}`, here);
  }
  const compilerOptions = {
    target: "es2022",
    ...resolution,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    types: ["node"],
    lib: ["es2023", "dom"],
  };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, include: ["*.ts", "__generated__/*.ts"] }));
  return folder;
}

/** Runs what npm has installed. */
function call(folder, program, ...args) {
  return execute(path(`node_modules/.bin/${program}`), args, folder);
}

/** The lines that a program of a page prints, the last of which says how many refreshes it made. */
async function linesOf(folder, file) {
  const output = await execute(process.execPath, ["--import", path("support/count.js"), file], folder);
  return output.trim().split("\n");
}

async function execute(program, args, cwd) {
  const output = await run(program, args, { cwd }).catch((error) => error);
  assert(!(output instanceof Error), `${program} ${args.join(" ")}: ${output.stdout}${output.stderr}`);
  return output.stdout;
}

before(async () => {
  const query = `mutation { register(input: { email: "${email}", password: "correct horse battery staple" }) { __typename } }`;
  const body = JSON.stringify({ query });
  await fetch(`${origin}/graphql`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
});

test("apollo.md", async () => {
  const folder = unfold("docs/clients/apollo.md");
  await call(folder, "tsc");
  assert.deepEqual(await linesOf(folder, "main.js"), [email, "refreshes: 0"]);
  assert.deepEqual(await linesOf(folder, "by-hand.js"), [...Array(10).fill(email), "UNAUTHENTICATED", "refreshes: 1"]);
});

test("urql.md", async () => {
  const folder = unfold("docs/clients/urql.md");
  await call(folder, "tsc");
  assert.deepEqual(await linesOf(folder, "main.js"), [email, "refreshes: 0"]);
  assert.deepEqual(await linesOf(folder, "by-hand.js"), [...Array(10).fill(email), "refreshes: 1"]);
});

test("graphql-request.md", async () => {
  const folder = unfold("docs/clients/graphql-request.md");
  await call(folder, "tsc");
  assert.deepEqual(await linesOf(folder, "main.js"), [email, "refreshes: 0"]);
});

test("relay.md", async () => {
  // As in a project with a bundler, whose part Babel plays here.
  const folder = unfold("docs/clients/relay.md", { module: "esnext", moduleResolution: "bundler", noEmit: true });
  writeFileSync(`${folder}/package.json`, JSON.stringify({ type: "commonjs" }));
  cpSync(path("../../schema.graphql"), `${folder}/schema.graphql`);
  await call(folder, "relay-compiler", "relay.config.json");
  await call(folder, "tsc");
  const plugins = ["relay", "@babel/plugin-transform-typescript", "@babel/plugin-transform-modules-commonjs"];
  await call(folder, "babel", ".", "--out-dir=.", "--extensions=.ts", `--plugins=${plugins}`);
  assert.deepEqual(await linesOf(folder, "main.js"), [email, "refreshes: 0"]);
});

test("what the READMEs show compiles", async () => {
  await call(unfold("README.md"), "tsc");
  await call(unfold("clients/js/README.md"), "tsc");
});

test("curl.md", async () => {
  const folder = unfold("docs/clients/curl.md");
  const printed = await execute("sh", ["main.sh"], folder);
  // The page shows what is printed, below what prints it.
  const shown = readFileSync(`${folder}/main.sh`, "utf8").match(/(?<=^# )\{.*$/gm);
  assert.equal(shown.length, 2);
  assert.equal(printed, shown.join(""));
});
