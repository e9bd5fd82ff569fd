import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";
import { GraphQL } from "./client";
import "./ui/style.css";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <GraphQL>
      <App />
    </GraphQL>
  </StrictMode>,
);
