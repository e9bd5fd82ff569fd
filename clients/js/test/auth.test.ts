import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { AuthUnavailableError, createAuth, type TokenStorage } from "../src/index.js";
import { ask, password, person, url, whoIs } from "./support.js";

/** Lets time pass on this device: for the clock that runs, for the one that people set, or for both. */
function pass(context: TestContext, minutes: { running?: number; wall?: number }): void {
  const running = performance.now.bind(performance);
  const wall = Date.now.bind(Date);
  const milliseconds = (count = 0) => count * 60_000;
  context.mock.method(performance, "now", () => running() + milliseconds(minutes.running));
  context.mock.method(Date, "now", () => wall() + milliseconds(minutes.wall));
}

/** A storage that a test can look into, and that two front ends can share as tabs do. */
function openStorage(): TokenStorage & { token: string | null } {
  return {
    token: null,
    async read() {
      return this.token;
    },
    async write(token) {
      this.token = token;
    },
    async clear() {
      this.token = null;
    },
  };
}

test("an account is made, signed in and signed out", async () => {
  const { auth, email, endings } = await person({ signedIn: false });
  assert.equal(auth.state, "unknown");
  assert.equal(await auth.getAccessToken(), null);
  assert.equal(auth.state, "signedOut");

  const login = await auth.login({ email, password });
  assert(login.__typename === "LoginSuccess");
  assert.deepEqual(Object.keys(login), ["__typename", "user"], "tokens stay inside");
  assert.equal(login.user.email, email);
  assert.equal(await whoIs(await auth.getAccessToken()), email);

  const token = await auth.getAccessToken();
  assert.deepEqual(await auth.logout(), { __typename: "LogoutSuccess", endedSessions: 1 });
  assert.equal(await whoIs(token), null);
  assert.equal(await auth.getAccessToken(), null);
  assert.deepEqual(endings, ["LOGOUT"]);
});

test("a refusal is a result with a code, and all that is wrong with the input", async () => {
  const { auth, email } = await person({ signedIn: false });
  const login = await auth.login({ email, password: "not this one at all" });
  assert(login.__typename === "AuthFailure");
  assert.equal(login.code, "INVALID_CREDENTIALS");

  const register = await auth.register({ email: "nobody", password: "short" });
  assert(register.__typename === "AuthFailure");
  assert.deepEqual(register.fields.map((field) => field.path), [["email"], ["password"]]);
});

test("a token is replaced half a minute before its end", async (context) => {
  const { auth, network } = await person();
  const first = await auth.getAccessToken();
  pass(context, { running: 14, wall: 14 });
  assert.equal(await auth.getAccessToken(), first);
  pass(context, { running: 14.6, wall: 14.6 });
  assert.notEqual(await auth.getAccessToken(), first);
  assert.equal(network.count("Refresh"), 1);
});

test("a device may believe in any time of day", async (context) => {
  const actual = Date.now.bind(Date);
  const wrong = context.mock.method(Date, "now", () => actual() + 5 * 3_600_000);
  const { auth, network } = await person();
  const first = await auth.getAccessToken();
  assert.equal(await auth.getAccessToken(), first);
  assert.equal(network.count("Refresh"), 0);
  wrong.mock.restore();
  // It is set right, five hours back.
  assert.equal(await auth.getAccessToken(), first);
  pass(context, { running: 14.6 });
  assert.notEqual(await auth.getAccessToken(), first);
});

test("a device whose running clock stood still while it slept goes by the other one", async (context) => {
  const { auth } = await person();
  const first = await auth.getAccessToken();
  pass(context, { wall: 14.6 });
  assert.notEqual(await auth.getAccessToken(), first);
});

test("a page that may not read the Date header goes by the token", async (context) => {
  const { auth, network } = await person({
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      return new Response(await response.text(), { headers: { "Content-Type": "application/json" } });
    },
  });
  const first = await auth.getAccessToken();
  pass(context, { running: 14 });
  assert.equal(await auth.getAccessToken(), first);
  pass(context, { running: 14.6 });
  assert.notEqual(await auth.getAccessToken(), first);
  assert.equal(network.arrived.length, 0);
});

test("whoever asks while a token is replaced gets the same one", async () => {
  const { auth, email, network } = await person();
  const stale = (await auth.getAccessToken())!;
  const tokens = await Promise.all(Array.from({ length: 20 }, () => auth.refresh(stale)));
  assert.equal(new Set(tokens).size, 1);
  assert.equal(await auth.refresh(stale), tokens[0], "later as well");
  assert.equal(network.count("Refresh"), 1);
  assert.equal(await whoIs(tokens[0]!), email);
});

test("a lost answer costs nothing but another try", async () => {
  const { auth, email, network, endings } = await person();
  const stale = (await auth.getAccessToken())!;
  network.losing.push("Refresh", "Refresh");
  for (let turn = 0; turn < 2; turn++) {
    await assert.rejects(auth.refresh(stale), (error) => error instanceof AuthUnavailableError && error.code === "NETWORK_FAULT");
    assert.equal(auth.state, "signedIn");
  }
  const token = await auth.refresh(stale);
  assert.equal(await whoIs(token), email);
  assert.equal(network.count("Refresh"), 3);
  assert.deepEqual(endings, []);
});

test("a server that cannot answer ends no session", async (context) => {
  const { auth, email, network, endings } = await person();
  const first = await auth.getAccessToken();
  const error = { message: "not now", extensions: { code: "SERVICE_UNAVAILABLE", retryAfterSeconds: 3 } };
  const failure = { __typename: "AuthFailure", code: "RATE_LIMITED", message: "slowly", fields: [], retryAfterSeconds: 7 };
  const unheardOf = { ...failure, code: "MERCURY_IN_RETROGRADE", retryAfterSeconds: null };
  for (const [answer, code, wait] of [
    [{ data: null, errors: [error] }, "SERVICE_UNAVAILABLE", 3],
    [{ data: { refresh: failure } }, "RATE_LIMITED", 7],
    [{ data: { refresh: unheardOf } }, "MERCURY_IN_RETROGRADE", null],
  ] as const) {
    network.forged.set("Refresh", answer);
    await assert.rejects(auth.refresh(), { name: "AuthUnavailableError", code, retryAfterSeconds: wait });
  }
  // The old one is used up to its end.
  network.forged.set("Refresh", { errors: [error] });
  pass(context, { running: 14.8 });
  assert.equal(await auth.getAccessToken(), first);
  network.forged.set("Refresh", { errors: [error] });
  pass(context, { running: 15.1 });
  await assert.rejects(auth.getAccessToken(), AuthUnavailableError);

  assert.equal(await whoIs(await auth.getAccessToken()), email);
  assert.deepEqual(endings, []);
});

test("a session that was ended elsewhere ends here at the next refresh", async () => {
  const storage = openStorage();
  const { auth, endings } = await person({ storage });
  await ask(`mutation { logout(input: { refreshToken: "${storage.token}" }) { __typename } }`);
  assert.equal(await auth.refresh(), null);
  assert.deepEqual(endings, ["REFRESH_TOKEN_INVALID"]);
  assert.equal(storage.token, null);
});

test("a session that was ended because its token was stolen says so", async () => {
  const storage = openStorage();
  const { auth, endings } = await person({ storage });
  const copied = storage.token!;
  await auth.refresh();
  await auth.refresh();
  storage.token = copied;
  assert.equal(await auth.refresh(), null);
  assert.deepEqual(endings, ["REFRESH_TOKEN_REUSED"]);
});

test("a logout that did not arrive is no logout", async () => {
  const { auth, email, network, endings } = await person();
  network.forged.set("Logout", { errors: [{ message: "not now", extensions: { code: "SERVICE_UNAVAILABLE" } }] });
  await assert.rejects(auth.logout(), AuthUnavailableError);
  assert.equal(await whoIs(await auth.getAccessToken()), email);
  assert.deepEqual(endings, []);
});

test("all sessions of an account end together", async () => {
  const { auth, email } = await person();
  const phone = createAuth({ url, storage: "memory" });
  await phone.login({ email, password });
  assert.deepEqual(await auth.logout({ everywhere: true }), { __typename: "LogoutSuccess", endedSessions: 2 });
  assert.equal(await phone.refresh(), null);
});

test("a request of one person is never repeated with the token of the next", async () => {
  const { auth, email } = await person();
  const other = await person({ signedIn: false });
  const stale = (await auth.getAccessToken())!;
  await auth.logout();
  await auth.login({ email: other.email, password });
  assert.equal(await auth.refresh(stale), null);
  assert.equal(await whoIs(await auth.getAccessToken()), other.email);
  assert.notEqual(other.email, email);
});

test("tabs share a session, and hear of its end", async () => {
  const storage = openStorage();
  const first = await person({ storage, signedIn: false });
  const second = createAuth({ url, storage, fetch: first.network.fetch });
  const change = (wanted: string) =>
    new Promise<void>((done) => {
      // A channel between tabs keeps no process alive, and waiting for one does not either.
      const awake = setInterval(() => {}, 60_000);
      const stop = second.subscribe((state) => {
        if (state !== wanted) return;
        stop();
        clearInterval(awake);
        done();
      });
    });

  const opened = change("signedIn");
  await first.auth.login({ email: first.email, password });
  await opened;
  assert.equal(await second.getAccessToken(), await first.auth.getAccessToken());
  assert.equal(first.network.count("Refresh"), 0, "the token came from the other tab");

  // Another person signs in: a tab that shows the first one hears of both the end and the beginning.
  const other = await person({ signedIn: false });
  const [left, entered] = [change("signedOut"), change("signedIn")];
  await first.auth.login({ email: other.email, password });
  await left;
  await entered;
  assert.equal(await whoIs(await second.getAccessToken()), other.email);

  const closed = change("signedOut");
  await first.auth.logout();
  await closed;
  assert.equal(await second.getAccessToken(), null);
});

test("tabs that refresh at the same moment all go on, even without Web Locks", async () => {
  const storage = openStorage();
  const { email } = await person({ storage });
  const tabs = Array.from({ length: 10 }, () => createAuth({ url, storage }));
  const tokens = await Promise.all(tabs.map((tab) => tab.getAccessToken()));
  assert.deepEqual(await Promise.all(tokens.map(whoIs)), tabs.map(() => email));
  assert.equal(await whoIs(await createAuth({ url, storage }).getAccessToken()), email);
});
