/**
 * Starts what the browser tests talk to, all on free ports: a sink, and API and page with Sentry on and off. A third
 * page sends its events straight to the sink, and a fourth to the tunnel of the API that has none.
 */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build, type ProxyOptions, preview } from "vite";
import { startSink } from "./sink.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const BACKEND = path("../../backend");
/** In each folder, `production.json` has the variables without which the extension lets only development start. */
const EXTENSIONS = join(BACKEND, "tests/extensions");
/** Long, so that the page shows that it can bear it. */
export const RELEASE = "the-name-of-a-project-that-goes-on-and-on@10.20.30+0123456789ab";
export const ENVIRONMENT = "staging";
/** How long the API may take to start, in milliseconds. */
const PATIENCE = 120_000;

export default async function startStack(): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "e2e-"));
  const stops: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
  const stop = async () => {
    for (const end of stops.reverse()) {
      await end();
    }
  };
  try {
    const sink = await startSink();
    stops.push(sink.close);
    process.env.SINK_URL = `http://127.0.0.1:${sink.port}`;
    for (const state of ["on", "off"]) {
      const dsn = (project: number) =>
        state === "on" ? `http://sink@127.0.0.1:${sink.port}/${project}` : "";
      const dataFolder = join(folder, `data-${state}`);
      process.env[`DATA_FOLDER_${state.toUpperCase()}`] = dataFolder;
      const api = await startApi(dataFolder, dsn(1), dsn(2));
      stops.push(api.stop);
      const page = await startPage(join(folder, state), dsn(2), api.url);
      stops.push(page.stop);
      process.env[`PAGE_URL_${state.toUpperCase()}`] = page.url;
      if (state === "on") {
        const direct = await startPage(join(folder, "direct"), dsn(2), api.url, "");
        stops.push(direct.stop);
        process.env.PAGE_URL_DIRECT = direct.url;
      } else {
        const lost = await startPage(
          join(folder, "lost"),
          `http://sink@127.0.0.1:${sink.port}/2`,
          api.url,
        );
        stops.push(lost.stop);
        process.env.PAGE_URL_LOST = lost.url;
      }
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

function extensionVariables(): Record<string, string> {
  const names = existsSync(EXTENSIONS) ? readdirSync(EXTENSIONS) : [];
  const files = names.map((name) => join(EXTENSIONS, name, "production.json")).filter(existsSync);
  return Object.assign({}, ...files.map((file) => JSON.parse(readFileSync(file, "utf8"))));
}

/** Starts the API on a free port; `more` are its variables in place of those of the extensions. */
export async function startApi(
  dataFolder: string,
  dsn: string,
  pageDsn: string,
  more?: Record<string, string>,
) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = spawn(".venv/bin/uvicorn", ["app.main:app", "--port", String(port)], {
    cwd: BACKEND,
    env: {
      ...process.env,
      // Development, in which optional parts need nothing but a folder; what is sent says otherwise.
      ENVIRONMENT: "development",
      DATA_FOLDER: dataFolder,
      SENTRY_DSN: dsn,
      VITE_SENTRY_DSN: pageDsn,
      SENTRY_ENVIRONMENT: ENVIRONMENT,
      SENTRY_RELEASE: RELEASE,
      SENTRY_TRACES_SAMPLE_RATE: "1",
      ...(more ?? extensionVariables()),
    },
  });
  let output = "";
  let ended = "";
  server.stdout.on("data", (text) => (output += text));
  server.stderr.on("data", (text) => (output += text));
  server.on("error", (error) => (ended = `${error.message}; "make setup" installs it`));
  server.on("exit", (code) => (ended = `exit code ${code}`));
  const stop = async () => {
    if (!ended && server.kill()) {
      await new Promise((resolve) => server.once("exit", resolve));
    }
  };

  const deadline = Date.now() + PATIENCE;
  while (!(await answers(`${url}/health/live`))) {
    if (ended || Date.now() > deadline) {
      await stop();
      throw new Error(`The API did not start (${ended || "too slow"}).\n${output}`);
    }
    await wait(100);
  }
  return { url, stop };
}

/** Builds the page and serves it on a free port, with the API behind it. */
export async function startPage(
  outDir: string,
  dsn: string,
  apiUrl: string,
  tunnel = "/api/v1/tunnel",
) {
  Object.assign(process.env, {
    API_URL: apiUrl,
    VITE_SENTRY_DSN: dsn,
    VITE_SENTRY_ENVIRONMENT: ENVIRONMENT,
    VITE_SENTRY_RELEASE: RELEASE,
    VITE_SENTRY_TRACES_SAMPLE_RATE: "1",
    VITE_SENTRY_TUNNEL: tunnel,
  });
  const output = { outDir, emptyOutDir: true };
  // The pages of the tests stand beside those of the extensions.
  const alias = [{ find: /^\.\.\/extensions$/, replacement: path("./extension.tsx") }];
  await build({ logLevel: "warn", build: output, resolve: { alias } });
  const port = await freePort();
  const proxy = { "/api": { configure: asManyPersons } };
  const server = await preview({ logLevel: "warn", build: output, preview: { port, proxy } });
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}

/** The tests are many persons, and the API takes only so much of one: each connection is told to have an address of its own. */
const asManyPersons: ProxyOptions["configure"] = (proxy) =>
  proxy.on("proxyReq", (request, { socket: { remotePort: port = 0 } }) =>
    request.setHeader("x-forwarded-for", `10.0.${port >> 8}.${port & 255}`),
  );

const answers = (url: string) =>
  fetch(url).then(
    (response) => response.ok,
    () => false,
  );

/**
 * A port that nobody listens on. It is none of those that systems hand out, from 32768 on, or somebody else might soon be
 * given it.
 */
function freePort(): Promise<number> {
  const port = randomInt(11_000, 31_000);
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(freePort()));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(port)));
  });
}
