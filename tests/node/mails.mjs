// node mails.mjs /usr/bin/chromium http://127.0.0.1:8080 en: the whole life of an account as its owner reads of it, in English
// or Russian. Opens each mail on the mailbox page as it arrives there, follows its link, acts on the page behind it, and prints
// what that says in the end.
import { tell } from "./browser.mjs";

const [chromium, url, language] = process.argv.slice(2);
const WORDS = {
  en: {
    welcome: "Welcome to", reset: "Set a new password", passwordChanged: "Your password at", confirm: "Confirm your new address",
    requested: "is about to change", moved: "Your address at", deleted: "was deleted",
  },
  ru: {
    welcome: "Добро пожаловать", reset: "новый пароль", passwordChanged: "ваш пароль изменён", confirm: "подтвердите новый адрес",
    requested: "запрошена смена адреса", moved: "ваш адрес изменён", deleted: "учётная запись удалена",
  },
}[language];

await tell(chromium, { [new URL(url).hostname]: new URL(url).host }, async (page) => {
  /** What a front end would do: a mutation that must succeed. */
  const ask = (name, input, fields = "__typename", token = "") =>
    page.evaluate(
      async ([name, input, fields, token]) => {
        const type = name[0].toUpperCase() + name.slice(1);
        const query = `mutation ($input: ${type}Input!) { ${name}(input: $input) { __typename ... on ${type}Success { ${fields} } } }`;
        const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
        const response = await fetch("graphql", { method: "POST", headers, body: JSON.stringify({ query, variables: { input } }) });
        const result = (await response.json()).data[name];
        if (result.__typename !== `${type}Success`) throw new Error(`${name}: ${result.__typename}`);
        return result;
      },
      [name, input, fields, token],
    );
  const logIn = async (email, password) =>
    (await ask("login", { email, password }, "tokens { accessToken }")).tokens.accessToken;

  /** Opens the newest mail of that subject to that address, once it has appeared in the list by itself. */
  const open = async (subject, to) => {
    await page.locator("#list a", { hasText: subject }).filter({ hasText: to }).first().click();
    await page.locator("#subject", { hasText: subject }).waitFor();
  };
  /** Follows its link, acts, and prints what comes of it. */
  const follow = async (password) => {
    const button = page.frameLocator("#html").locator(".button a");
    const [tab] = await Promise.all([page.context().waitForEvent("page"), button.click()]);
    await tab.locator("#act").waitFor();
    if (tab.url().includes("#")) throw new Error(`the token is still in the address bar: ${tab.url()}`);
    await tab.locator(`#languages [lang=${language}]`).click();
    if (password) await tab.locator("#password").fill(password);
    await tab.locator("#act").click();
    await tab.locator("body[data-phase=done], body[data-phase=used]").waitFor();
    console.log(await tab.locator("#title").textContent());
    await tab.close();
  };

  await page.goto(`${url}/mailbox`);
  const [ada, lovelace] = ["ada@example.com", "lovelace@example.com"];
  await ask("register", { email: ada, password: "correct horse battery staple", locale: language });
  await open(WORDS.welcome, ada);
  await follow();

  await ask("requestPasswordReset", { email: ada });
  await open(WORDS.reset, ada);
  await follow("another staple of horse batteries");
  await open(WORDS.passwordChanged, ada);

  const session = await logIn(ada, "another staple of horse batteries");
  const password = "the third pile of battery hay";
  await ask("changePassword", { currentPassword: "another staple of horse batteries", newPassword: password }, undefined, session);
  await ask("requestEmailChange", { newEmail: lovelace, currentPassword: password }, undefined, session);
  await open(WORDS.requested, ada);
  await open(WORDS.confirm, lovelace);
  await follow();
  await follow();
  await open(WORDS.moved, ada);

  await ask("deleteAccount", { currentPassword: password }, undefined, await logIn(lovelace, password));
  await open(WORDS.deleted, lovelace);
});
