import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page and the server have one origin, here by this proxy, and in production by the one in front of both.
const authql = process.env["AUTHQL_ORIGIN"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  server: { proxy: { "/graphql": authql } },
});
