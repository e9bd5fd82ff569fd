/**
 * Many tabs of one browser, access tokens that live for two seconds, and a network that swallows the answers of refreshes.
 * Nobody may be signed out.
 *
 * ROUNDS and TABS make it longer, SEED repeats what was seen.
 */

import assert from "node:assert/strict";
import { randomInt, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { network } from "./support/network.js";
import { launch, origin, serve, withoutBrowser } from "./support/site.js";

const ROUNDS = Number(process.env.ROUNDS ?? 8);
const TABS = Number(process.env.TABS ?? 4);
const SEED = Number(process.env.SEED ?? randomInt(2 ** 31));
const PASSWORD = "correct horse battery staple";

/** Mulberry32: numbers from 0 to 1 that a seed repeats. */
function dice(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let number = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    number = (number + Math.imul(number ^ (number >>> 7), 61 | number)) ^ number;
    return ((number ^ (number >>> 14)) >>> 0) / 2 ** 32;
  };
}

for (const example of ["apollo-react", "urql-react"]) {
  for (const storage of ["indexeddb", "cookie"]) {
    describe(`${example}, ${storage}`, { skip: withoutBrowser }, () => {
      let browser, line, site, counted;
      const roll = dice(SEED);

      before(async () => {
        counted = { refreshes: 0, lost: 0, refused: 0, reloads: 0, returns: 0, closed: 0 };
        line = await network(origin, (asked, answer) => {
          if (answer.includes('"UNAUTHENTICATED"')) counted.refused++;
          if (!asked.includes("mutation Refresh")) return answer;
          counted.refreshes++;
          // Some tokens arrive damaged, so that the server refuses what is sent with them.
          if (counted.refreshes % 5 === 2) return answer.replace(/("accessToken":"[^"]*)[^"]{4}"/, '$1AAAA"');
          if (counted.refreshes % 3 !== 0) return answer;
          counted.lost++;
          return undefined;
        });
        [browser, site] = await Promise.all([launch(), serve(example, line.origin)]);
      });
      after(async () => {
        line?.stop();
        await Promise.all([site?.stop(), browser?.close()]);
      });

      test(`${ROUNDS} rounds with ${TABS} tabs sign nobody out`, async (context) => {
        const device = await browser.newContext({ baseURL: site.url });
        device.setDefaultTimeout(20_000);
        await device.route("**/assets/*.js", async (route) => {
          const response = await route.fetch();
          const [script, changed] = [await response.text(), /(?<=storage:(["'`]))indexeddb(?=\1)/];
          assert.match(script, changed);
          await route.fulfill({ response, body: script.replace(changed, storage) });
        });

        const email = `${randomUUID()}@example.com`;
        await ask(`mutation { register(input: { email: "${email}", password: "${PASSWORD}" }) { __typename } }`);
        const first = await device.newPage();
        await first.goto("/");
        await first.getByLabel("E-mail address").fill(email);
        await first.getByLabel("Password").fill(PASSWORD);
        await first.keyboard.press("Enter");
        await first.getByRole("heading", { name: "Hello" }).waitFor();
        const tabs = [first];

        for (let round = 0; round < ROUNDS; round++) {
          // One tab may be closed in the middle of whatever it does, and others are opened in its place.
          const closing = tabs.length > 1 && roll() < 0.5 ? tabs.splice(Math.floor(roll() * tabs.length), 1)[0] : undefined;
          while (tabs.length < TABS) tabs.push(await device.newPage());
          await Promise.all([
            ...tabs.map(async (tab) => {
              if (tab.url() === "about:blank") return tab.goto("/");
              if (roll() < 0.5) {
                counted.reloads++;
                return tab.reload();
              }
              counted.returns++;
              return tab.evaluate(() => window.dispatchEvent(new Event("focus")));
            }),
            closing?.reload().catch(() => {}),
            closing && (counted.closed++, closing.close()),
          ]);
          await Promise.all(tabs.map(isSignedIn));
        }
        await Promise.all(tabs.map((tab) => tab.reload()));
        await Promise.all(tabs.map(isSignedIn));

        context.diagnostic(`seed ${SEED}: ${JSON.stringify(counted)}`);
        assert(counted.lost > 0 && counted.refused > 0, "the storm was none");
        assert.equal(await tabs[0].locator(".sessions > li").count(), 1, "it is one session all the time");
      });
    });
  }
}

/** Waits until a tab shows the account again, and tries again where an answer was lost, as a person would. */
async function isSignedIn(tab) {
  const account = tab.getByRole("heading", { name: "Hello" });
  const signIn = tab.getByRole("heading", { name: "Sign in" });
  const again = tab.getByRole("button", { name: "Try again" });
  for (let tries = 0; tries < 50; tries++) {
    await account.or(signIn).or(again).first().waitFor();
    assert.equal(await signIn.count(), 0, "a tab shows the login form: somebody was signed out");
    if ((await account.count()) > 0) return;
    // No real click, which would wait for a tab in the background to be painted. The button may be gone: another tab had
    // more luck, and has handed over its token.
    await again.dispatchEvent("click", {}, { timeout: 500 }).catch(() => {});
  }
  assert.fail("a tab never came back");
}

async function ask(query) {
  const body = JSON.stringify({ query });
  await fetch(`${origin}/graphql`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
}
