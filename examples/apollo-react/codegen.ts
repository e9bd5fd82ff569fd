import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  // In a project of your own: the file that `authql schema` prints, or https://your-server/schema.graphql.
  schema: "../../schema.graphql",
  documents: "src/**/*.{ts,tsx}",
  ignoreNoDocuments: true,
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: { enumsAsTypes: true, scalars: { DateTime: "string" }, strictScalars: true, useTypeImports: true },
    },
  },
};
export default config;
