// node graphiql.mjs /usr/bin/chromium http://127.0.0.1:8080 127.0.0.1:8080 [folder]: runs GraphiQL's tabs in order, without
// typing anything, and prints what each shows, with a screenshot of each in the folder. The third is what listens for the
// URL's host.
import { tell } from "./browser.mjs";

const [chromium, url, listener, folder] = process.argv.slice(2);

await tell(chromium, { [new URL(url).hostname]: listener }, async (page) => {
  await page.goto(`${url}/graphql`);
  const tabs = page.locator(".graphiql-tab-button");
  await tabs.first().waitFor();
  for (const tab of await tabs.all()) {
    const title = await tab.textContent();
    await tab.click();
    const isSent = (request) => new RegExp(`(query|mutation) ${title}\\b`).test(request.postDataJSON()?.query);
    const answer = page.waitForResponse((response) => isSent(response.request()));
    await page.locator(".graphiql-execute-button").click();
    const [[field, outcome]] = Object.entries((await (await answer).json()).data);
    await page.locator(".result-window").getByText(`"${field}"`).waitFor();
    const session = await page.locator("#session").textContent();
    console.log(`${title}: ${outcome.__typename ?? outcome.email} | ${session}`);
    if (folder) await page.screenshot({ path: `${folder}/${title}.png` });
  }
  // What is behind the buttons at the side works under the page's policy as well, or its console would say so.
  for (const button of ["Show Documentation Explorer", "Show History", "Open short keys dialog", "Open settings dialog"]) {
    await page.getByRole("button", { name: button }).click();
    if (folder) await page.screenshot({ path: `${folder}/${button}.png` });
    if (button.endsWith("dialog")) await page.keyboard.press("Escape");
  }
});
