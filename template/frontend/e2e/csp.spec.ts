import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type PreviewServer, preview } from "vite";
import { problemsOf } from "../src/config/variables.ts";
import { expect, test } from "./fixtures.ts";
import { RELEASE } from "./stack.ts";

const CONFIGURE = fileURLToPath(new URL("../configure.sh", import.meta.url));
const FRONTEND = fileURLToPath(new URL("..", import.meta.url));
const BROKEN_BROWSER = /the browser broke on purpose/;

/** What a page must not be able to do, in the words of the directive that stops it. */
const FORBIDDEN = {
  "script-src": {
    "an inline script": () => {
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.head.append(script);
    },
    "an inline handler": () => {
      document.body.innerHTML += '<img alt="" src="data:," onerror="window.ran = true">';
    },
    "a text as code": () => {
      setTimeout("window.ran = true");
    },
    "a script of another host": () => {
      const script = document.createElement("script");
      script.src = "http://127.0.0.1:9/script.js";
      document.head.append(script);
    },
  },
  "connect-src": {
    "another host": () => void fetch("http://127.0.0.1:9/").catch(() => undefined),
  },
  "base-uri": {
    "another base": () => {
      document.head.innerHTML += '<base href="http://127.0.0.1:9/">';
    },
  },
};

for (const [directive, attempts] of Object.entries(FORBIDDEN)) {
  for (const [what, attempt] of Object.entries(attempts)) {
    test(`the page does not take ${what}, and the test is told`, async ({ page, complaints }) => {
      await page.goto("/");
      await page.evaluate(attempt);
      await expect.poll(() => complaints.violations.join()).toContain(directive);
      expect(await page.evaluate(() => "ran" in window)).toBe(false);
      complaints.violations.length = 0;
    });
  }
}

test("a violation that nobody expects fails a test", async ({ page, complaints }) => {
  test.fail();
  await page.goto("/");
  await page.evaluate(FORBIDDEN["script-src"]["an inline script"]);
  await expect.poll(() => complaints.violations).not.toEqual([]);
});

test("the policy stands above every script and knows the only one that is inline", async ({
  page,
}) => {
  const html = await (await page.request.get("/")).text();
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html);
  const inline = [...html.matchAll(/<script>(.*?)<\/script>/gs)];
  expect(inline).toHaveLength(1);
  expect(policy?.index).toBeLessThan(html.indexOf("<script"));
  const hash = createHash("sha256").update(String(inline[0]?.[1])).digest("base64");
  expect(policy?.[1]).toContain(`script-src 'self' 'sha256-${hash}'`);
  expect(policy?.[1]).not.toMatch(/unsafe|\*|blob:/);
});

test.describe("one build, configured without building it again", () => {
  let folder: string;
  const servers: PreviewServer[] = [];

  test.beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "configured-"));
    Object.assign(process.env, {
      VITE_SENTRY_DSN: "https://key@built.example/1",
      VITE_SENTRY_RELEASE: RELEASE,
      VITE_SENTRY_TUNNEL: "",
    });
    await build({
      logLevel: "warn",
      root: FRONTEND,
      build: { outDir: join(folder, "built"), emptyOutDir: true },
    });
  });

  test.afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    rmSync(folder, { recursive: true });
  });

  /** Configures a copy of the build and serves it. */
  async function served(name: string, variables: Record<string, string>): Promise<string> {
    const outDir = join(folder, name);
    cpSync(join(folder, "built"), outDir, { recursive: true });
    execFileSync("sh", [CONFIGURE, outDir], { env: { PATH: process.env.PATH, ...variables } });
    const options = { logLevel: "warn", root: FRONTEND, build: { outDir } } as const;
    const server = await preview({ ...options, preview: { port: 0, strictPort: false } });
    servers.push(server);
    return `http://127.0.0.1:${(server.httpServer.address() as AddressInfo).port}`;
  }

  const PLACES = {
    staging: {
      project: 21,
      variables: (sink: URL) => ({ VITE_SENTRY_DSN: `http://key@${sink.host}/21` }),
    },
    production: {
      project: 22,
      variables: (sink: URL) => ({
        VITE_SENTRY_DSN: "https://key@nobody.example/2",
        VITE_SENTRY_TUNNEL: `http://${sink.host}/api/22/envelope/`,
      }),
    },
  };

  for (const [environment, { project, variables }] of Object.entries(PLACES)) {
    test(`in ${environment} it sends where ${environment} says, with the release of the build`, async ({
      page,
      sink,
      complaints,
    }) => {
      complaints.expected.push(BROKEN_BROWSER);
      const url = await served(environment, {
        VITE_SENTRY_ENVIRONMENT: environment,
        VITE_SENTRY_TRACES_SAMPLE_RATE: "1",
        ...variables(new URL(String(process.env.SINK_URL))),
      });
      await page.goto(url);
      await page.getByRole("button", { name: "Break the browser" }).click();
      const event = await sink.wait(project, "event");
      expect(event.environment).toBe(environment);
      expect(event.release).toBe(RELEASE);
      await sink.settled();
    });
  }

  test("without a DSN it never asks for the SDK", async ({ page }) => {
    const url = await served("off", { VITE_SENTRY_DSN: "" });
    const scripts: string[] = [];
    page.on("request", (request) => scripts.push(new URL(request.url()).pathname));
    await page.goto(url);
    await expect(page.getByRole("article").first()).toContainText("Off");
    await page.waitForLoadState("networkidle");
    expect(scripts.filter((path) => /sdk|replay/.test(path))).toEqual([]);
    expect(scripts.some((path) => path.endsWith(".js"))).toBe(true);
  });

  test("what is not set stays as it was, and a second time changes nothing", async () => {
    await served("same", {});
    const page = (name: string) => readFileSync(join(folder, name, "index.html"), "utf8");
    expect(page("same")).toBe(page("built"));
    const variables = { SENTRY_ORG_ID: "77", VITE_SENTRY_TUNNEL: "/t" };
    for (const _ of [1, 2]) {
      execFileSync("sh", [CONFIGURE, join(folder, "same")], {
        env: { PATH: process.env.PATH, ...variables },
      });
      expect(page("same")).toBe(
        page("built")
          .replace('ORG_ID" content="', 'ORG_ID" content="77')
          .replace('TUNNEL" content="', 'TUNNEL" content="/t')
          .replace(" https://built.example", ""),
      );
    }
  });

  /** Configures a copy of the build, whose policy may have been changed by hand. Returns what the policy then lets it reach. */
  function reachable(
    name: string,
    variables: Record<string, string>,
    change: (html: string) => string = (html) => html,
  ) {
    const outDir = join(folder, name);
    cpSync(join(folder, "built"), outDir, { recursive: true });
    const file = join(outDir, "index.html");
    writeFileSync(file, change(readFileSync(file, "utf8")));
    const env = { PATH: process.env.PATH, ...variables };
    const { status, stderr } = spawnSync("sh", [CONFIGURE, outDir], { env, encoding: "utf8" });
    const html = readFileSync(file, "utf8");
    return { status, stderr, html, sources: /connect-src ([^;"]*)/.exec(html)?.[1] };
  }

  const dsnIs = (dsn: string) => ({ VITE_SENTRY_DSN: dsn });
  const builtWith = (dsn: string) => (html: string) =>
    html.replace("https://key@built.example/1", dsn);

  test("the policy names where events go, however the address is written", () => {
    const next = dsnIs("https://key@Next.Example:443/2");
    const other = (html: string) => html.replace("connect-src 'self'", "$& https://api.example");
    expect(reachable("written", next).sources).toBe("'self' https://next.example");
    // The build writes an origin as browsers do.
    for (const dsn of ["https://key@BUILT.example/1", "https://key@built.example:443/1"]) {
      expect(reachable("built-so", next, builtWith(dsn)).sources).toBe(
        "'self' https://next.example",
      );
    }
    expect(reachable("first", next, other).sources).toBe(
      "'self' https://api.example https://next.example",
    );
    expect(reachable("kept", {}, other).sources).toBe(
      "'self' https://api.example https://built.example",
    );
    expect(reachable("twice", dsnIs("https://key@api.example/2"), other).sources).toBe(
      "'self' https://api.example",
    );
    expect(reachable("port", dsnIs("http://key@[::1]:8080/2")).sources).toBe(
      "'self' http://[::1]:8080",
    );
    expect(reachable("gone", dsnIs("")).sources).toBe("'self'");
  });

  test("a policy that cannot be changed is no success", () => {
    const without = (html: string) => html.replace(/connect-src [^;]*; /, "");
    const { status, stderr, html } = reachable(
      "fixed",
      dsnIs("https://key@next.example/2"),
      without,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^\S*index\.html: its policy has no connect-src .* https:\/\/next\.example\.\n$/,
    );
    expect(html).toContain("https://key@built.example/1");
    const unruled = (text: string) => text.replace(/<meta http-equiv[^>]*>/, "");
    const free = reachable("free", dsnIs("https://key@next.example/2"), unruled);
    expect(free.status).toBe(0);
    expect(free.html).toContain("https://key@next.example/2");
  });

  test("a disk that is full leaves the page as it was, and nothing beside it", () => {
    const outDir = join(folder, "full");
    cpSync(join(folder, "built"), outDir, { recursive: true });
    const files = readdirSync(outDir);
    const before = readFileSync(join(outDir, "index.html"), "utf8");
    const limited = "trap '' XFSZ; ulimit -f 1; exec sh \"$@\"";
    const { status } = spawnSync("sh", ["-c", limited, "sh", CONFIGURE, outDir], {
      env: { PATH: process.env.PATH, SENTRY_ORG_ID: "77" },
    });
    expect(before.length).toBeGreaterThan(1024);
    expect(status).not.toBe(0);
    expect(readFileSync(join(outDir, "index.html"), "utf8")).toBe(before);
    expect(readdirSync(outDir)).toEqual(files);
  });

  test("the page keeps its mode, in a folder of any name", () => {
    cpSync(join(folder, "built"), join(folder, "-x"), { recursive: true });
    const page = join(folder, "-x/index.html");
    const { mode } = statSync(page);
    const env = { PATH: process.env.PATH, SENTRY_ORG_ID: "77" };
    const run = (...args: string[]) =>
      execFileSync("sh", [CONFIGURE, ...args], { env, cwd: folder });
    run("-x");
    expect(readFileSync(page, "utf8")).toContain('ORG_ID" content="77"');
    expect(statSync(page).mode).toBe(mode);
    run("-x/index.html", "-y");
    expect(readFileSync(join(folder, "-y"), "utf8")).toBe(readFileSync(page, "utf8"));
  });

  const VALUES = {
    VITE_SENTRY_DSN: [
      "http://viewer@127.0.0.1:8969/2",
      "https://key:old@[::1]:80/path/2",
      "sentry.io/2",
      'https://key@host"><script>/2',
      "https://key@host/2|e ls|",
      "https://key@host/2\nx",
      "https://key@host/2\\n",
      "-n",
    ],
    VITE_SENTRY_ENVIRONMENT: ["production", "prod", "", "staging\ndevelopment", "https://k@host/2"],
    VITE_SENTRY_TRACES_SAMPLE_RATE: ["0", "1.0", ".5", "1e-3", " ", "2", "1\\c2", "0\n1", "&"],
    VITE_SENTRY_REPLAYS_ON_ERROR_SAMPLE_RATE: ["0.25", "all", "-0.1", '1" x="'],
    VITE_SENTRY_TUNNEL: ["", "/t", "https://api.example.com/t?a=b", "/", "//evil.example", "/\\&"],
    SENTRY_ORG_ID: ["", "77", "acme", "7 7", "1\n2", "123456789012345678901"],
    SENTRY_SENSITIVE_KEYS: [
      "a b, x-badge.2,",
      " , ",
      "ok,7up",
      "one;two",
      "größe",
      "ab\nc",
      "ab\\c",
    ],
  };

  test("a bad variable is refused in the words of the build", async () => {
    for (const [name, values] of Object.entries(VALUES)) {
      for (const value of values) {
        const env = { PATH: process.env.PATH, [name]: value };
        const { status, stderr } = spawnSync(
          "sh",
          [CONFIGURE, join(folder, "built/index.html"), join(folder, "copy.html")],
          { env, encoding: "utf8" },
        );
        const problems = problemsOf({ [name]: value });
        expect(stderr.trimEnd().split("\n").filter(Boolean), `${name}=${value}`).toEqual(problems);
        expect(status).toBe(problems.length);
      }
    }
  });
});
