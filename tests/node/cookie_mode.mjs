// node cookie_mode.mjs /usr/bin/chromium 127.0.0.1:8443 certificate/: a front end in cookie mode, told by its browser. The
// API is https://auth.example.com, known to app.example.com and app.example.org; evil.example is a stranger.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { tell } from "./browser.mjs";

const [chromium, api, certificate] = process.argv.slice(2);
const API = "https://auth.example.com";
const NAME = "__Host-authql-refresh";
const CREDENTIALS = `email: "ada@example.com", password: "correct horse battery staple"`;
const TOKENS = "tokens { accessToken refreshToken refreshTokenExpiresAt }";
const LOGIN = `mutation { login(input: { ${CREDENTIALS} }) { __typename ... on LoginSuccess { ${TOKENS} } } }`;
const REFRESH = `mutation { refresh(input: {}) { __typename ... on RefreshSuccess { ${TOKENS} } ... on AuthFailure { code } } }`;
const LOGOUT = "mutation { logout(input: {}) { ... on LogoutSuccess { endedSessions } } }";

// Every page of the front end is empty: its scripts are what this file has it do.
const frontEnd = createServer(
  { cert: readFileSync(`${certificate}/fullchain.pem`), key: readFileSync(`${certificate}/privkey.pem`) },
  (_, answer) => answer.setHeader("Content-Type", "text/html").end("<!doctype html><title>A front end</title>"),
).listen(0, "127.0.0.1");
await once(frontEnd, "listening");
const pages = `127.0.0.1:${frontEnd.address().port}`;

/** What a script of the page gets to know when it asks the API. */
const ask = (page, query, headers = { "X-Token-Delivery": "cookie" }) =>
  page.evaluate(
    async ([url, query, headers]) => {
      const answer = await fetch(url, {
        method: "POST",
        credentials: "include",
        headers: { "Content-Type": "application/json", ...headers },
        body: JSON.stringify({ query }),
      }).catch(() => undefined);
      return answer && { status: answer.status, requestId: answer.headers.get("x-request-id"), ...(await answer.json()) };
    },
    [`${API}/graphql`, query, headers],
  );

const hosts = {
  "auth.example.com:443": api,
  "app.example.com:443": pages,
  "app.example.org:443": pages,
  "evil.example:443": pages,
};
await tell(chromium, hosts, async (page, complaints) => {
  const kept = async () => (await page.context().cookies(API)).find(({ name }) => name === NAME);

  await page.goto("https://app.example.com");
  await ask(page, `mutation { register(input: { ${CREDENTIALS} }) { __typename } }`, {});
  const login = await ask(page, LOGIN);
  assert.equal(login.data.login.__typename, "LoginSuccess");
  assert.equal(login.data.login.tokens.refreshToken, null);
  assert.equal(login.requestId.length, 32, "scripts can read the id that nginx gave the request");
  assert.equal(await page.evaluate(() => document.cookie), "", "no script can read the cookie");
  const first = await kept();
  const { httpOnly, secure, sameSite, path, domain } = first;
  assert.deepEqual(
    { httpOnly, secure, sameSite, path, domain },
    { httpOnly: true, secure: true, sameSite: "Strict", path: "/", domain: "auth.example.com" },
  );
  const until = Date.parse(login.data.login.tokens.refreshTokenExpiresAt) / 1000;
  assert.ok(Math.abs(first.expires - until) < 5, "the cookie lives as long as its token");
  console.log("log in: the browser keeps the token, and the page never sees it");

  await page.reload();
  const refresh = await ask(page, REFRESH);
  assert.equal(refresh.data.refresh.__typename, "RefreshSuccess");
  assert.notEqual((await kept()).value, first.value);
  const authorization = `Bearer ${refresh.data.refresh.tokens.accessToken}`;
  const me = await ask(page, "{ me { email } }", { authorization });
  assert.equal(me.data.me.email, "ada@example.com");
  const tab = await page.context().newPage();
  await tab.goto("https://app.example.com");
  const both = await Promise.all([ask(page, REFRESH), ask(tab, REFRESH)]);
  assert.deepEqual(both.map(({ data }) => data.refresh.__typename), ["RefreshSuccess", "RefreshSuccess"]);
  await tab.close();
  console.log("refresh: after a reload, and in two tabs at once");

  assert.equal(complaints.length, 0, complaints.join("\n"));
  const before = (await kept()).value;
  await page.goto("https://app.example.org");
  const crossSite = await ask(page, REFRESH);
  assert.equal(crossSite.status, 403);
  assert.match(crossSite.errors[0].message, /of the server's site/);
  await page.goto("https://evil.example");
  for (const query of [LOGIN, REFRESH, LOGOUT]) assert.equal(await ask(page, query), undefined);
  // What it can send without asking first reaches nothing.
  for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
    assert.equal(await ask(page, LOGOUT, { "Content-Type": type }), undefined);
  }
  assert.equal((await kept()).value, before);
  // Chromium says of each of these that it has failed, as it should have.
  complaints.length = 0;
  console.log("pages of another site and of strangers: refused");

  await page.goto("https://app.example.com");
  const logout = await ask(page, LOGOUT);
  assert.equal(logout.data.logout.endedSessions, 1);
  assert.equal(await kept(), undefined);
  const after = await ask(page, REFRESH);
  assert.equal(after.data.refresh.code, "REFRESH_TOKEN_INVALID");
  console.log("log out: the cookie is gone");
});
frontEnd.close();
