/** Imported before a page's program: says at its end how many refreshes it made. */

const send = globalThis.fetch;
let refreshes = 0;
globalThis.fetch = async (input, init) => {
  const body = init?.body ?? (input instanceof Request ? await input.clone().text() : "");
  if (String(body).includes("mutation Refresh")) refreshes++;
  return send(input, init);
};
process.on("exit", () => console.log(`refreshes: ${refreshes}`));
