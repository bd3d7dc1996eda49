/**
 * Starts what the browser tests talk to, all on free ports: a sink, and API and page with Sentry on and off. A third
 * page sends its events straight to the sink, and a fourth to the tunnel of the API that has none.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { build, preview } from "vite";

const BACKEND = fileURLToPath(new URL("../../backend", import.meta.url));
/** Long, so that the page shows that it can bear it. */
export const RELEASE = "the-name-of-a-project-that-goes-on-and-on@10.20.30+0123456789ab";
export const ENVIRONMENT = "staging";
/** How long the API may take to start, in milliseconds. */
const PATIENCE = 60_000;

/** An envelope as it arrived, uncompressed, and the project of the DSN it was sent to. */
export interface Received {
  project: number;
  /** Who sent it: the browser itself, the API on its own behalf, or the API's tunnel. */
  agent: string;
  body: string;
}

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
      const api = await startApi(dsn(1), dsn(2));
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

/**
 * A server on the loopback that takes envelopes as Sentry does and keeps them.
 * `GET /received` tells what came.
 */
async function startSink() {
  const received: Received[] = [];
  const server = createHttpServer(async (request, response) => {
    const project = request.url?.match(/^\/api\/(\d+)\/envelope\//)?.[1];
    const body = await read(request);
    response.setHeader("access-control-allow-origin", "*");
    if (project && request.method === "POST") {
      const agent = request.headers["user-agent"] ?? "";
      received.push({ project: Number(project), agent, body });
      response.end();
    } else {
      response.end(JSON.stringify(received));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => server.close() };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  switch (request.headers["content-encoding"]) {
    case "gzip":
      return gunzipSync(bytes).toString();
    case "br":
      return brotliDecompressSync(bytes).toString();
    default:
      return bytes.toString();
  }
}

async function startApi(dsn: string, pageDsn: string) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = spawn(".venv/bin/uvicorn", ["app.main:app", "--port", String(port)], {
    cwd: BACKEND,
    env: {
      ...process.env,
      ENVIRONMENT,
      SENTRY_DSN: dsn,
      VITE_SENTRY_DSN: pageDsn,
      SENTRY_ENVIRONMENT: ENVIRONMENT,
      SENTRY_RELEASE: RELEASE,
      SENTRY_TRACES_SAMPLE_RATE: "1",
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

async function startPage(outDir: string, dsn: string, apiUrl: string, tunnel = "/api/v1/tunnel") {
  Object.assign(process.env, {
    API_URL: apiUrl,
    VITE_SENTRY_DSN: dsn,
    VITE_SENTRY_ENVIRONMENT: ENVIRONMENT,
    VITE_SENTRY_RELEASE: RELEASE,
    VITE_SENTRY_TRACES_SAMPLE_RATE: "1",
    VITE_SENTRY_TUNNEL: tunnel,
  });
  const output = { outDir, emptyOutDir: true };
  await build({ logLevel: "warn", build: output });
  const port = await freePort();
  const server = await preview({ logLevel: "warn", build: output, preview: { port } });
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}

const answers = (url: string) =>
  fetch(url).then(
    (response) => response.ok,
    () => false,
  );

/** A port that nobody listens on, as the system says. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
