/** An account's life, clicked through in both examples. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { launch, mailTo, serve, withoutBrowser } from "./support/site.js";

const PASSWORD = "correct horse battery staple";
const SCREENS = process.env.SCREENS;

for (const example of ["apollo-react", "urql-react"]) {
  describe(example, { skip: withoutBrowser, timeout: 120_000 }, () => {
    let browser, site;
    before(async () => ([browser, site] = await Promise.all([launch(), serve(example)])));
    after(async () => {
      await Promise.all([site?.stop(), browser?.close()]);
    });

    /** A device with a browser of its own, which fails the story when a page throws or complains. */
    async function device() {
      const context = await browser.newContext({ baseURL: site.url, viewport: { width: 390, height: 844 } });
      context.setDefaultTimeout(10_000);
      const page = await context.newPage();
      const complaints = [];
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      page.complaints = complaints;
      return page;
    }

    const button = (page, name) => page.getByRole("button", { name, exact: true });
    const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();
    const says = (page, text) => page.getByText(text).waitFor();

    /** Opens the link of a mail. */
    async function follow(page, email, kind) {
      const { text } = await mailTo(email, kind);
      const [link] = /http\S+\/confirm#\S+/.exec(text);
      assert(link.startsWith(site.url), `${link} leads elsewhere`);
      await page.goto(link);
    }

    async function signIn(page, email, password) {
      await page.getByLabel("E-mail address").fill(email);
      await page.getByLabel("Password").fill(password);
      await button(page, "Sign in").click();
    }

    /** Keeps a picture of what is shown, on a phone and on a desk, by day and by night. */
    async function picture(page, name) {
      if (!SCREENS) return;
      mkdirSync(SCREENS, { recursive: true });
      for (const colorScheme of ["light", "dark"]) {
        for (const [size, width] of [["phone", 390], ["desk", 1280]]) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize({ width, height: 844 });
          await page.screenshot({ path: `${SCREENS}/${example}-${name}-${size}-${colorScheme}.png`, fullPage: true });
        }
      }
      await page.setViewportSize({ width: 390, height: 844 });
    }

    test("from the first visit to the last", async () => {
      const email = `${randomUUID()}@example.com`;
      const laptop = await device();
      await laptop.goto("/");
      await heading(laptop, "Sign in");
      await picture(laptop, "sign-in");

      // An account is made; what is wrong is said where it is, and that is where the cursor goes.
      await button(laptop, "Make an account").click();
      await laptop.getByLabel("Name").fill("Ada Lovelace");
      await laptop.getByLabel("E-mail address").fill("nobody");
      await laptop.getByLabel("Password").fill("short");
      await button(laptop, "Make the account").click();
      await says(laptop, "This is not written correctly.");
      await says(laptop, "This is too short.");
      assert.equal(await laptop.evaluate(() => document.activeElement.name), "email");
      await picture(laptop, "register-refused");
      await laptop.getByLabel("E-mail address").fill(email);
      await laptop.getByLabel("Password").fill(PASSWORD);
      await laptop.keyboard.press("Enter");
      await says(laptop, `we have mailed a link to ${email}`);

      // Signed in, not yet confirmed; then confirmed by the link.
      await signIn(laptop, email, "not the right one");
      await says(laptop, "The e-mail address or the password is wrong.");
      await signIn(laptop, email, PASSWORD);
      await heading(laptop, "Hello Ada Lovelace");
      await says(laptop, "not confirmed yet");
      await picture(laptop, "account-new");
      await button(laptop, "Mail the link again").click();
      await says(laptop, `A link is on its way to ${email}.`);
      await follow(laptop, email, "welcome");
      await heading(laptop, "Confirm your address");
      await button(laptop, "Confirm").click();
      await says(laptop, `${email} is confirmed.`);
      await picture(laptop, "confirmed");
      await laptop.getByRole("link", { name: "Continue" }).click();
      await heading(laptop, "Hello Ada Lovelace");
      assert.equal(await laptop.getByText("not confirmed yet").count(), 0);

      // A second device, ended from the first.
      const phone = await device();
      await phone.goto("/");
      await signIn(phone, email, PASSWORD);
      await heading(phone, "Hello Ada Lovelace");
      const sessions = laptop.locator(".sessions > li");
      await laptop.evaluate(() => window.dispatchEvent(new Event("focus")));
      await sessions.nth(1).waitFor();
      await picture(laptop, "account");
      await laptop.getByRole("button", { name: "End the session on" }).click();
      await sessions.nth(1).waitFor({ state: "detached" });
      await phone.evaluate(() => window.dispatchEvent(new Event("focus")));
      await heading(phone, "Sign in");
      await says(phone, "You have been signed out. Please sign in again.");
      await picture(phone, "signed-out");

      // A new password ends other sessions, and this one goes on.
      await signIn(phone, email, PASSWORD);
      await heading(phone, "Hello Ada Lovelace");
      await laptop.getByLabel("Current password").fill("not the right one");
      await laptop.getByLabel("New password").fill(`${PASSWORD} 2`);
      await button(laptop, "Change the password").click();
      await says(laptop, "The e-mail address or the password is wrong.");
      await laptop.getByLabel("Current password").fill(PASSWORD);
      await button(laptop, "Change the password").click();
      await says(laptop, "Other sessions that were ended: 1.");
      await picture(laptop, "password-changed");

      // A forgotten one.
      await phone.reload();
      await heading(phone, "Sign in");
      await button(phone, "I have forgotten my password").click();
      await phone.getByLabel("E-mail address").fill(email);
      await button(phone, "Mail me a link").click();
      await says(phone, `If ${email} has an account`);
      await follow(phone, email, "password_reset");
      await heading(phone, "Choose a new password");
      await phone.getByLabel("New password").fill(`${PASSWORD} 3`);
      await picture(phone, "reset");
      await button(phone, "Set the password").click();
      await says(phone, "Your new password is set.");
      await phone.getByRole("link", { name: "Continue" }).click();

      // The reset has ended the session of the laptop as well. Both sign in, and one ends both.
      await laptop.reload();
      for (const page of [laptop, phone]) {
        await heading(page, "Sign in");
        await signIn(page, email, `${PASSWORD} 3`);
        await heading(page, "Hello Ada Lovelace");
      }
      await button(laptop, "Sign out everywhere").click();
      await heading(laptop, "Sign in");
      await phone.evaluate(() => window.dispatchEvent(new Event("focus")));
      await heading(phone, "Sign in");
      assert.deepEqual([laptop.complaints, phone.complaints], [[], []]);
    });

    test("a used link says what to do, and a broken one as well", async () => {
      const page = await device();
      await page.goto("/confirm#verifyEmail=nothing");
      await button(page, "Confirm").click();
      await says(page, "This link has been used, or is too old.");
      await page.goto("/confirm");
      await page.reload();
      await heading(page, "This link is not complete");
    });

    test("a server that is away is no reason to sign in again", async () => {
      const email = `${randomUUID()}@example.com`;
      const page = await device();
      await page.goto("/");
      await button(page, "Make an account").click();
      await page.getByLabel("E-mail address").fill(email);
      await page.getByLabel("Password").fill(PASSWORD);
      await button(page, "Make the account").click();
      await heading(page, "Sign in");
      await signIn(page, email, PASSWORD);
      await heading(page, `Hello ${email}`);

      await page.context().route("**/graphql*", (route) => route.abort());
      await page.reload();
      await heading(page, "Not now");
      await says(page, "The server cannot be reached. Please try again.");
      await picture(page, "away");
      await page.context().unroute("**/graphql*");
      await button(page, "Try again").click();
      await heading(page, `Hello ${email}`);
    });
  });
}
