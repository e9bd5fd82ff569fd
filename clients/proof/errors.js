/**
 * Writes docs/errors.md: causes are the descriptions of schema.graphql, remedies are here. `--check` only tells whether the page
 * is up to date. A code without a remedy is an error; remedies of codes to come may wait for them.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { buildSchema } from "graphql";

const REMEDIES = {
  AuthErrorCode: {
    VALIDATION_FAILED: "Show each of `fields` beside its input.",
    INVALID_CREDENTIALS: "Let the person try again, and offer `requestPasswordReset`. Do not guess which of the two was wrong.",
    EMAIL_NOT_VERIFIED: "Offer `resendVerification`.",
    EMAIL_TAKEN: "Offer to sign in, or `requestPasswordReset`.",
    REFRESH_TOKEN_INVALID: "Forget the tokens and show the login form.",
    REFRESH_TOKEN_REUSED: "The same, and say why: the owner has a mail about it as well.",
    MAIL_TOKEN_INVALID: "Offer a new mail: `resendVerification`, `requestPasswordReset` or `requestEmailChange`.",
    NOT_FOUND: "Ask for the list again: it has changed meanwhile.",
    RATE_LIMITED: "Wait for `retryAfterSeconds`, and let the person know.",
  },
  FieldErrorCode: {
    REQUIRED: "Ask for it.",
    INVALID_FORMAT: "Say what it should look like.",
    TOO_SHORT: "Say how long it must be: the description of the input has the figure.",
    TOO_LONG: "Say how long it may be: the description of the input has the figure.",
    TOO_COMMON: "Ask for a longer or less usual password; several words are good.",
  },
};

/** The codes of top-level errors. They are no enum of the schema: GraphQL has errors outside of it. */
const TOP_LEVEL = `| code | cause | remedy |
|---|---|---|
| \`UNAUTHENTICATED\` | \`extensions.reason\` says which: \`TOKEN_MISSING\`, \`TOKEN_INVALID\`, \`TOKEN_EXPIRED\` or \`SESSION_ENDED\`. The status is 200 | \`refresh\` once, and repeat the request; when that is refused, show the login form |
| \`BAD_USER_INPUT\` | Arguments contradict each other or are out of bounds | Mend the client |
| \`GRAPHQL_PARSE_FAILED\` | The document is not GraphQL | Mend the client |
| \`GRAPHQL_VALIDATION_FAILED\` | The document does not fit the schema, or asks for too much at once | Mend the client; generate its types from the schema |
| \`DOCUMENT_NOT_TRUSTED\` | The server runs only the documents of its own front ends (\`AUTHQL_TRUSTED_DOCUMENTS\`), and this is none | Put the document into the manifest, or ask the operator to |
| \`PERSISTED_QUERY_NOT_FOUND\` | The same, for a document that is named by its id | The same; sending its text will not help |
| \`PERSISTED_QUERY_NOT_SUPPORTED\` | A document was named by its id, and the server has no list of them | Send the document; Apollo's client does so by itself |
| \`BAD_REQUEST\` | The HTTP request is not one that carries GraphQL: method, media type, size or form. The status and the message say what | Mend the client |
| \`FORBIDDEN\` | In cookie mode: the page is of an origin that may not use the cookie | Name the origin in \`AUTHQL_ALLOWED_ORIGINS\`: [browsers.md](browsers.md) |
| \`RATE_LIMITED\` | What needs an access token was asked for without end, with one session or with tokens that are none | Wait for \`extensions.retryAfterSeconds\`; keep the tokens |
| \`SERVICE_UNAVAILABLE\` | The server cannot do this at the moment | Keep the tokens and try again soon: this is no logout |
| \`INTERNAL_SERVER_ERROR\` | A fault of the server, whose cause is in its log under \`extensions.requestId\`; of many equal ones in a minute, the first ten | The same, and tell the operator the id |`;

const here = new URL(".", import.meta.url);
const schema = buildSchema(readFileSync(new URL("../../schema.graphql", here), "utf8"));

function table(name) {
  const remedies = REMEDIES[name];
  const values = schema.getType(name).getValues();
  const rows = values.map(({ name: code, description }) => {
    if (!remedies[code]) throw new Error(`${code} has no remedy: write one into clients/proof/errors.js`);
    return `| \`${code}\` | ${description.replaceAll("\n", " ")} | ${remedies[code]} |`;
  });
  return ["| code | cause | remedy |", "|---|---|---|", ...rows].join("\n");
}

const text = `# Codes

<!-- Written by \`node clients/proof/errors.js\` from schema.graphql. -->

Errors come in two ways. What a person or a program can act on is a result, \`AuthFailure\`, with a \`code\`; what went wrong with the
request itself, or with the server, is a top-level error with \`extensions.code\`. Later versions may add codes: keep a default branch,
which shows \`message\`.

## In results: \`AuthFailure.code\`

${table("AuthErrorCode")}

## In results: \`AuthFailure.fields[].code\`

${table("FieldErrorCode")}

## In top-level errors: \`errors[].extensions.code\`

${TOP_LEVEL}
`;

const page = new URL("../../docs/errors.md", here);
if (!process.argv.includes("--check")) writeFileSync(page, text);
else if (readFileSync(page, "utf8") !== text) {
  console.error("docs/errors.md differs from schema.graphql: run `node clients/proof/errors.js`");
  process.exitCode = 1;
}
