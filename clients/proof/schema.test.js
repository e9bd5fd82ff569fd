/** What tools and readers rely on: the schema in the eyes of linters, the types made from it, the catalogue of codes. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { ESLint } from "eslint";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

test("the schema is as graphql-eslint and Relay recommend", async () => {
  mkdirSync(path("build"), { recursive: true });
  cpSync(path("../../schema.graphql"), path("build/schema.graphql"));
  const eslint = new ESLint({ cwd: path(".") });
  const [result] = await eslint.lintFiles(["build/schema.graphql"]);
  assert.deepEqual(result.messages.map(({ line, ruleId, message }) => `${line} ${ruleId}: ${message}`), []);
});

test("a wrong use of a result does not compile", () => {
  const options = ["--noEmit", "--strict", "--ignoreConfig", "--moduleResolution", "bundler", "--module", "esnext", "--skipLibCheck", "--types", ""];
  execFileSync(path("node_modules/.bin/tsc"), [...options, path("misuse.ts")], { stdio: "inherit" });
});

test("the catalogue of codes is that of the schema", () => {
  execFileSync(process.execPath, [path("errors.js"), "--check"], { stdio: "inherit" });
});

test("top-level errors have the codes of the catalogue", async () => {
  const catalogue = readFileSync(path("../../docs/errors.md"), "utf8");
  const codeOf = async (query, headers = { "Content-Type": "application/json" }) => {
    const response = await fetch(`${process.env.AUTHQL_ORIGIN}/graphql`, { method: "POST", headers, body: JSON.stringify({ query }) });
    return (await response.json()).errors[0].extensions.code;
  };
  const codes = [
    await codeOf("{ me { id } }"),
    await codeOf("{ me {"),
    await codeOf("{ you }"),
    await codeOf("{ me { id } }", { "Content-Type": "text/plain" }),
    await codeOf("{ me { id } }", { "Content-Type": "application/json", "X-Token-Delivery": "cookie", Origin: "https://elsewhere.example" }),
  ];
  assert.deepEqual(codes, ["UNAUTHENTICATED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_REQUEST", "FORBIDDEN"]);
  for (const code of codes) assert(catalogue.includes(`| \`${code}\` |`), `${code} is not in docs/errors.md`);
});

test("the examples have in common what does not depend on the library", () => {
  const own = /^(package(-lock)?\.json|README\.md|src\/(client|Account|Confirm|Forgotten)\.tsx)$/;
  const made = /^(node_modules|dist|src\/gql)(\/|$)/;
  const [apollo, urql] = ["apollo-react", "urql-react"].map((example) => {
    const folder = path(`../../examples/${example}`);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1))
      .filter((name) => !own.test(name) && !made.test(name));
    return Object.fromEntries(files.sort().map((name) => [name, readFileSync(`${folder}/${name}`, "utf8")]));
  });
  assert(Object.keys(apollo).length > 10);
  assert.deepEqual(urql, apollo);
});
