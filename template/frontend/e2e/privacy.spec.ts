import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import { build } from "vite";
import { ADDRESS_TAIL, canaries, PLACES, type Place, REPORTED } from "./canaries.ts";
import { BROWSER, expect, type Sink, test } from "./fixtures.ts";

declare global {
  interface Window {
    plantAll: () => Promise<void>;
    bare: { start: (dsn: string) => void; plantAll: () => Promise<void> };
  }
}

/** A project of its own for what the bare SDK sends. */
const BARE = 3;

/**
 * Visits a page with secrets in its surroundings, plants the others with what `plantAll` stands for, and leaves when
 * everything has been reported. Returns what arrived in the project, as text without any compression.
 */
async function visit(page: Page, sink: Sink, project: number, plantAll: string): Promise<string> {
  const before = (await sink.received()).length;
  const arrived = async () =>
    (await sink.received()).slice(before).filter((envelope) => envelope.project === project);
  const count = async (...types: string[]) =>
    (await arrived())
      .flatMap(({ items }) => items)
      .filter(({ header }) => types.includes(header.type)).length;

  await page.addInitScript((secrets) => {
    localStorage.setItem("note", secrets.storage);
    sessionStorage.setItem("note", secrets.storage);
    // biome-ignore lint/suspicious/noDocumentCookie: as an application sets it.
    document.cookie = `session=${secrets.cookie}`;
    window.name = secrets["window name"];
  }, canaries);
  await page.goto(`/e2e/orders/7${ADDRESS_TAIL}`, {
    referer: `http://127.0.0.1:9/?user=CORP\\${canaries.referrer}`,
  });
  await expect.poll(() => page.evaluate(() => "__SENTRY__" in window)).toBe(true);
  const replay = project === BROWSER && page.waitForResponse(/\/replay-[^/]*\.js$/);
  await page.mouse.wheel(0, 1);
  await replay;
  await page.evaluate(plantAll);
  await page.getByLabel("Comment").fill(canaries["textarea value"]);
  await page.locator("button[data-planted]").click();
  await expect.poll(() => count("event")).toBeGreaterThanOrEqual(REPORTED);
  await expect.poll(() => count("feedback")).toBeGreaterThan(0);
  await expect.poll(() => count("replay_recording")).toBeGreaterThan(0);
  // The page goes away.
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
    dispatchEvent(new Event("pagehide"));
  });
  await expect.poll(() => count("transaction", "span")).toBeGreaterThan(1);
  if (project === BROWSER) {
    // Of what the bare SDK sends the browser refuses some, and does not tell its end.
    await sink.settled();
  }
  return (await arrived()).map(({ text }) => text).join("\n");
}

/** The places whose secret is in a text. */
const leaking = (text: string): Place[] => PLACES.filter((place) => text.includes(canaries[place]));

test("planted secrets are in no envelope", async ({ page, sink, complaints }) => {
  complaints.expected.push(/./);
  const text = await visit(page, sink, BROWSER, "plantAll()");
  expect(text).toContain("login failed with password=[Filtered]");
  expect(text).toContain("ui.click");
  expect(leaking(text)).toEqual([]);
});

test.describe("the SDK as its instructions have it", () => {
  // The page without Sentry, whose policy knows no place for events.
  test.use({ sentry: "off", bypassCSP: true });

  test("sends most of them, so they are where it looks", async ({ page, sink, complaints }) => {
    complaints.expected.push(/./);
    const entry = fileURLToPath(new URL("./bare.ts", import.meta.url));
    const built = await build({
      configFile: false,
      logLevel: "warn",
      build: { write: false, lib: { entry, formats: ["iife"], name: "bare" } },
      define: { "process.env.NODE_ENV": '"production"' },
    });
    const [{ output }] = built as unknown as [{ output: [{ code: string }] }];
    const dsn = new URL(process.env.SINK_URL ?? "");
    dsn.username = "bare";
    dsn.pathname = String(BARE);
    await page.addInitScript(`${output[0].code}; window.bare = bare; bare.start("${dsn}");`);
    const places = leaking(await visit(page, sink, BARE, "bare.plantAll()"));
    test.info().annotations.push({ type: "leaks", description: places.join(", ") });
    expect(places.length).toBeGreaterThan(PLACES.length / 2);
  });
});

test("an envelope keeps what Sentry needs to sort it", async ({ page, sink, complaints }) => {
  complaints.expected.push(/broke on purpose/);
  await page.goto("/");
  await page.getByRole("button", { name: "Break the browser" }).click();
  const event = await sink.wait(BROWSER, "event");
  const headers = (await sink.received())
    .map((envelope) => envelope.header)
    .find(({ event_id }) => event_id === event.event_id);
  expect(headers.trace.public_key).toBe("sink");
  expect(event.request.headers["User-Agent"]).toContain("Chrome/");
  expect(event.request.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(event.user).toBeUndefined();
  expect(event.sdk.settings.infer_ip).toBe("never");
});

test.describe("where the policy lets the page reach another host", () => {
  test.use({ sentry: "direct" });

  test("trace headers go to the own API and nowhere else", async ({ page, sink }) => {
    await page.goto("/");
    await expect(page.getByRole("article").first()).toContainText("On");
    const headersOf = async (url: string) => {
      const request = page.waitForRequest(url);
      await page.evaluate((target) => fetch(target).catch(() => undefined), url);
      return (await request).allHeaders();
    };
    const own = await headersOf(new URL("/api/v1/sentry-debug", page.url()).href);
    expect(own).toHaveProperty("sentry-trace");
    expect(own).toHaveProperty("baggage");
    for (const url of [
      `${process.env.SINK_URL}/api/v1/other`,
      new URL("/health", page.url()).href,
    ]) {
      const other = await headersOf(url);
      expect(other).not.toHaveProperty("sentry-trace");
      expect(other).not.toHaveProperty("baggage");
    }
    expect(await sink.items(BROWSER, "event")).toEqual([]);
  });
});
