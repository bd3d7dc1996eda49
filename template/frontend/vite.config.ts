import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";
import { problemsOf } from "./src/config/env.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** The project's `.env` lies at its root, shared with the API. */
const ROOT = path("..");
const LOOPBACK = "127.0.0.1";

/** The release of the working copy, by the script that names it for every part of the project. */
function currentRelease(): string {
  const script = path("../backend/app/core/sentry/release.py");
  const { status, stdout } = spawnSync("python3", [script], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : "";
}

export default defineConfig(({ command, mode }) => {
  const variables = loadEnv(mode, ROOT, "");
  const release = variables.VITE_SENTRY_RELEASE || variables.SENTRY_RELEASE || currentRelease();
  const apiUrl = variables.API_URL || `http://${LOOPBACK}:${variables.API_PORT || 8000}`;
  // The host stays the one that the browser knows: the tunnel compares it with the page's origin.
  const api = { target: apiUrl, changeOrigin: false };
  const proxy = { "/api": api, "/health": api };
  const server = {
    host: LOOPBACK,
    port: Number(variables.WEB_PORT || 5173),
    strictPort: true,
    proxy,
  };

  if (!release && variables.VITE_SENTRY_DSN && mode !== "test") {
    console.warn(
      "SENTRY_RELEASE: not set, and python3 (3.11 or newer) could not tell it; events will name no release",
    );
  }
  const problems = problemsOf(variables);
  if (problems.length > 0) {
    console.error(problems.join("\n"));
    process.exit(1);
  }

  return {
    envDir: mode === "test" ? false : ROOT,
    plugins: [react()],
    resolve: { alias: { "@contracts": path("../contracts") } },
    define: {
      "import.meta.env.VITE_SENTRY_RELEASE": JSON.stringify(release),
      // The same for both sides.
      "import.meta.env.VITE_SENTRY_ORG_ID": JSON.stringify(variables.SENTRY_ORG_ID ?? ""),
      "import.meta.env.VITE_SENTRY_SENSITIVE_KEYS": JSON.stringify(
        variables.SENTRY_SENSITIVE_KEYS ?? "",
      ),
      // Leaves the SDK's own debug messages out of the build.
      ...(command === "build" && { __SENTRY_DEBUG__: "false" }),
    },
    build: {
      // For Sentry only: no file names them, and "npm run sourcemaps" deletes them after the upload.
      sourcemap: "hidden",
      // Every browser that this build is made for knows module preloads itself.
      modulePreload: { polyfill: false },
    },
    server: { ...server, fs: { allow: [".", "../contracts"] } },
    preview: server,
    test: {
      environment: "happy-dom",
      include: ["src/**/*.test.{ts,tsx}"],
      // Importing the SDK takes seconds on a busy machine.
      testTimeout: 30_000,
      setupFiles: ["src/test-setup.ts"],
      restoreMocks: true,
      unstubEnvs: true,
      unstubGlobals: true,
    },
  };
});
