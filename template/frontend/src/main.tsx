import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
// Ahead of our own code. What goes wrong until then is kept by early.js.
import "./lib/sentry/boot";
import { App } from "./app/App";
import { rootErrorHandlers } from "./lib/sentry";
import "./styles/tokens.css";
import "./styles/base.css";

const root = document.getElementById("root");
if (!root) {
  throw new Error("index.html has no element with the id root");
}
createRoot(root, rootErrorHandlers).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
