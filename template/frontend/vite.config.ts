import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";
import project from "../contracts/project.json" with { type: "json" };
import { contracts } from "./plugins/contracts.ts";
import { marks } from "./plugins/marks.ts";
import { page } from "./plugins/page.ts";
import { slim } from "./plugins/slim.ts";
import { problemsOf } from "./src/config/variables.ts";

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
  // WebSockets pass as well.
  const api = { target: apiUrl, changeOrigin: false, ws: true };
  const proxy = { "/api": api, "/health": api };
  const server = {
    host: LOOPBACK,
    port: Number(variables.WEB_PORT || 5173),
    strictPort: true,
    proxy,
  };

  if (!release && command === "build") {
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
    plugins: [react(), contracts(), slim(), page(variables), marks(project.slug)],
    // Workers are bundled apart, and are scripts of this application as well.
    worker: { plugins: () => [marks(project.slug)] },
    resolve: { alias: { "@contracts": path("../contracts") } },
    define: {
      "import.meta.env.VITE_SENTRY_RELEASE": JSON.stringify(release),
      // Leaves the SDK's own debug messages out of the build.
      ...(command === "build" && { __SENTRY_DEBUG__: "false" }),
      // Replay looks into no frame and no shadow root, and the transport compresses: no worker.
      __RRWEB_EXCLUDE_IFRAME__: "true",
      __RRWEB_EXCLUDE_SHADOW_DOM__: "true",
      __SENTRY_EXCLUDE_REPLAY_WORKER__: "true",
    },
    build: {
      // The SDK names its attributes and operations in constants of other modules: they are written where they are used.
      rolldownOptions: {
        optimization: { inlineConst: { mode: "all", pass: 3 } },
        // What the first paint needs is one chunk. With pages that are fetched later, Rolldown would split off what
        // they and the SDK share with it: one more request, mark and dictionary of gzip for every visitor.
        output: { codeSplitting: { groups: [{ name: "index", tags: ["$initial"] }] } },
      },
      // For Sentry only: no file names them, and scripts/sourcemaps.mjs takes them out of what is served.
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
      hookTimeout: 30_000,
      setupFiles: ["src/test-setup.ts"],
      restoreMocks: true,
      unstubEnvs: true,
      unstubGlobals: true,
    },
  };
});
