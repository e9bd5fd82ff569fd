// Chromium that reaches nobody but whom a test names.
import { chromium } from "playwright-core";

const QUIET = [
  "--no-sandbox", // Tests may run as root, and open no page but ours.
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Runs `story` with a page, and fails when the page complains of anything in its console, or asks for another host than
 * `hosts`: names and what they stand for, as in { "app.example.com:443": "127.0.0.1:8443" }.
 */
export async function tell(executablePath, hosts, story) {
  const rules = Object.entries(hosts).map(([name, target]) => `MAP ${name} ${target}`);
  rules.push("MAP * ~NOTFOUND");
  const browser = await chromium.launch({
    executablePath,
    args: [...QUIET, `--host-resolver-rules=${rules.join(",")}`],
  });
  try {
    // The certificates of tests are signed by nobody.
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("requestfailed", (request) => complaints.push(`${request.url()}: ${request.failure().errorText}`));
    await story(page, complaints);
    if (complaints.length > 0) throw new Error(`the page complains:\n${complaints.join("\n")}`);
  } finally {
    await browser.close();
  }
}
