/** What graphql-eslint recommends for schemas, and what Relay asks of them. Each exception has its reason. */

import graphql from "@graphql-eslint/eslint-plugin";

export default [
  {
    files: ["**/*.graphql"],
    plugins: { "@graphql-eslint": graphql },
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: "build/schema.graphql" } } },
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      ...graphql.configs["flat/schema-relay"].rules,
      // The file is exported from code, in whose form short descriptions have a line and long ones a block.
      "@graphql-eslint/description-style": "off",
      // Results, tokens and problems are not things that a cache could find again.
      "@graphql-eslint/strict-id-in-types": [
        "error",
        {
          exceptions: {
            types: ["AuthFailure", "AuthTokens", "FieldError", "PageInfo"],
            suffixes: ["Success", "Connection", "Edge"],
          },
        },
      ],
      // Problems with an input, and paths, are a handful that comes as a whole.
      "@graphql-eslint/relay-edge-types": [
        "error",
        { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false },
      ],
    },
  },
];
