// Writes src/codes.ts, the codes of the schema as TypeScript types; `--check` only tells whether it is up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { buildSchema, isEnumType } from "graphql";

const here = new URL(".", import.meta.url);
const schema = buildSchema(readFileSync(new URL("../../../schema.graphql", here), "utf8"));

const types = ["AuthErrorCode", "FieldErrorCode"].map((name) => {
  const type = schema.getType(name);
  if (!isEnumType(type)) throw new Error(`schema.graphql has no enum ${name}`);
  const values = type.getValues().map(({ name, description }) => `  /** ${description} */\n  | "${name}"`);
  return `/** ${type.description} */\nexport type ${name} =\n${values.join("\n")};\n`;
});
const text = `// Written by \`npm run codes\` from schema.graphql.\n\n${types.join("\n")}`;

const file = new URL("../src/codes.ts", here);
if (!process.argv.includes("--check")) writeFileSync(file, text);
else if (readFileSync(file, "utf8") !== text) {
  console.error("src/codes.ts differs from schema.graphql: run `npm run codes` in clients/js");
  process.exit(1);
}
