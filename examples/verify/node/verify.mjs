// node verify.mjs https://auth.example.com "$ACCESS_TOKEN"
import { createRemoteJWKSet, jwtVerify } from "jose";

const [issuer, token] = process.argv.slice(2);
// Fetched when needed, kept, and fetched again for a `kid` that is not among them.
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));

const { payload } = await jwtVerify(token, keys, {
  issuer,
  audience: issuer,
  typ: "at+jwt",
  algorithms: ["EdDSA"],
  clockTolerance: 60, // seconds
});
console.log(`account ${payload.sub}, session ${payload.sid}`);
