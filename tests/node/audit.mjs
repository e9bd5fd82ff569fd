// node audit.mjs http://127.0.0.1:8080/graphql: what the GraphQL-over-HTTP draft asks of a server, one line for each point
// that is not as it asks, and how many were.
import { auditServer } from "graphql-http";

const [url] = process.argv.slice(2);
const points = await auditServer({ url });
const missed = points.filter(({ status }) => status !== "ok");
for (const { id, name, status, reason } of missed) console.log(`${status} ${id}: ${name} (${reason})`);
console.log(`${points.length - missed.length} of ${points.length}`);
