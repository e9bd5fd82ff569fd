/** A network between front end and server that loses and damages answers: a proxy, so that browsers notice nothing of it. */

import { createServer, request as send } from "node:http";

/**
 * Passes everything on to `target`. `fate` gets the texts of a request and of its answer, and returns what arrives: the answer,
 * another text of the same length, or `undefined` when the line is cut.
 */
export async function network(target, fate) {
  const proxy = createServer(async (request, response) => {
    // A page that is closed takes its requests with it.
    response.on("error", () => {});
    try {
      const asked = await textOf(request);
      const { method, headers } = request;
      const answer = await new Promise((done, failed) => {
        send(target + request.url, { method, headers }, done).on("error", failed).end(asked);
      });
      const arriving = fate(asked, await textOf(answer));
      if (arriving === undefined) return response.destroy();
      response.writeHead(answer.statusCode, answer.rawHeaders).end(arriving);
    } catch {
      response.destroy();
    }
  });
  await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
  return {
    origin: `http://127.0.0.1:${proxy.address().port}`,
    stop() {
      proxy.close();
      proxy.closeAllConnections();
    },
  };
}

async function textOf(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}
