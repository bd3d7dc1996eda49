import type { Page } from "@playwright/test";
import { BROWSER, expect, hasRun, type Sink, sendFeedback, test } from "./fixtures.ts";
import type { Payload } from "./sink.ts";

/** What a person enters, and what the page shows of persons. None of it belongs into a replay. */
const SECRET = "Jane-4f1b7c0e9d";

/** Opens an order and waits for the SDK, which waits for a sign of a person. */
async function open(page: Page, path = `/e2e/orders/7?q=${SECRET}#${SECRET}`) {
  const sdk = page.waitForResponse(/\/sdk-[^/]*\.js$/);
  await page.goto(path);
  await (await sdk).finished();
  await expect.poll(() => page.evaluate(() => "__SENTRY__" in window)).toBe(true);
  await tellTrace(page);
}

/** Asks the API for something, so that the sink learns the trace: each address begins another one. */
const tellTrace = (page: Page) =>
  page.evaluate(async () => void (await fetch("/api/v1/sentry-debug")));

/** Gives a sign, and waits for replay to be there. */
async function touch(page: Page) {
  const replay = page.waitForResponse(/\/replay-[^/]*\.js$/);
  await page.mouse.wheel(0, 10);
  await hasRun(page, replay);
}

/** The events of a replay, in order, over all of its parts. */
async function recorded(sink: Sink, replayId: string): Promise<Payload[]> {
  const envelopes = (await sink.received()).filter(({ header }) => header.event_id === replayId);
  const parts = envelopes.map(
    ({ items }) =>
      items
        .map((item) => item.text)
        .at(-1)
        ?.split("\n") ?? [],
  );
  return parts
    .map(([header, events]) => ({
      part: JSON.parse(header ?? "").segment_id,
      events: JSON.parse(events ?? ""),
    }))
    .sort((one, other) => one.part - other.part)
    .flatMap(({ events }) => events);
}

const replays = async (sink: Sink) =>
  (await sink.received())
    .flatMap(({ items }) => items)
    .filter(({ header }) => header.type === "replay_recording");

test.describe("an error in a visit", () => {
  test("takes along what the person did, and nothing that was there to read", async ({
    page,
    sink,
    complaints,
  }) => {
    complaints.expected.push(/broke/);
    await open(page);
    await touch(page);
    await page.evaluate((secret) => {
      document.title = secret;
      const image = new Image();
      image.alt = image.title = secret;
      image.src = `data:image/svg+xml,${secret}`;
      const box = document.createElement("div");
      box.dataset.note = box.title = box.ariaLabel = box.id = secret;
      box.role = `${secret} Doe`;
      box.style.cssText = `--note: "${secret}"; --name: ${secret} Doe; --own-size: 31px; background: url("/box.png?q=${secret}")`;
      document.styleSheets[0]?.insertRule(
        `.x::after { content: "${secret}"; background: url("/more.png?q=${secret}") }`,
      );
      const link = document.createElement("a");
      link.href = `/e2e?to=${secret}`;
      link.textContent = secret;
      const answer = Object.assign(document.createElement("input"), {
        type: "checkbox",
        checked: true,
      });
      answer.name = answer.value = secret;
      setTimeout(() => box.style.setProperty("--later", `${secret} Doe`), 50);
      document.body.append(image, box, link, answer, document.createComment(secret));
      const headers = { "x-note": secret };
      void fetch(`/api/v1/sentry-debug?q=${secret}`, { headers });
    }, SECRET);
    await page.getByLabel("Card number").pressSequentially(SECRET);
    await page.getByLabel("Password").fill(SECRET);
    await page.getByLabel("Comment").fill(`${SECRET} ${SECRET}`);
    await page.getByRole("link", { name: "Next order" }).click();
    await tellTrace(page);
    await page.getByRole("button", { name: "Break the order" }).click();

    const event = await sink.wait(
      BROWSER,
      "event",
      (one) => one.exception?.values[0].value === "The order broke",
    );
    const replayId = event.tags.replayId;
    expect(replayId).toMatch(/^[0-9a-f]{32}$/);
    await expect.poll(async () => (await recorded(sink, replayId)).length).toBeGreaterThan(10);
    await sink.settled();

    const events = await recorded(sink, replayId);
    const raw = (await sink.received()).map(({ text }) => text).join("\n");
    expect(raw).toContain('"replay_recording"');
    expect(raw.match(new RegExp(`.{0,80}${SECRET}`, "g")) ?? []).toEqual([]);
    // Useful all the same: the structure of the page, where it was, what was clicked and asked for.
    const text = JSON.stringify(events);
    expect(text).toContain('"tagName":"textarea"');
    expect(text).toContain("--own-size: 31px");
    expect(text).toContain(".layout-header {");
    expect(text).toMatch(/"textContent":"\*+ \*+"/);
    const custom = events.filter(({ type }) => type === 5).map(({ data }) => data.payload);
    expect(custom).toContainEqual(
      expect.objectContaining({ category: "ui.click", message: "button" }),
    );
    expect(custom.map(({ description }) => description)).toContain(
      new URL("/e2e/orders/next", page.url()).href,
    );
    expect(custom.map(({ op }) => op)).toContain("resource.fetch");
  });

  test("takes it compressed, in a form that Sentry reads", async ({ page, sink, complaints }) => {
    complaints.expected.push(/broke/);
    await open(page);
    await touch(page);
    const sent = page.waitForRequest(
      (request) => request.postData()?.includes("replay_recording") ?? false,
    );
    await page.getByRole("button", { name: "Break the order" }).click();
    const body = (await sent).postDataBuffer() as Buffer;
    // The two bytes with which zlib begins.
    expect(body.includes(Buffer.from([0x7d, 0x0a, 0x78]))).toBe(true);
    await expect.poll(async () => (await replays(sink)).length).toBeGreaterThan(0);
    await sink.settled();
  });
});

test.describe("no replay leaves", () => {
  test("without an error, not even with a feedback", async ({ page, sink }) => {
    await open(page, "/");
    await touch(page);
    let recordings = 0;
    page.on("request", (request) => {
      recordings += request.postDataBuffer()?.includes("replay_recording") ? 1 : 0;
    });
    await sendFeedback(page, sink);
    // The SDK would name the replay and send it a few seconds later.
    const feedback = await sink.wait(BROWSER, "feedback");
    expect(feedback.contexts.feedback).not.toHaveProperty("replay_id");
    expect(recordings).toBe(0);
  });

  test("and none is fetched before a sign of a person", async ({ page }) => {
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await open(page);
    await page.evaluate(() => scrollTo(0, 100));
    await page.waitForLoadState("networkidle");
    expect(asked.filter((url) => /\/replay-/.test(url))).toEqual([]);
  });

  test("from a visit that was not picked", async ({ page, sink, complaints }) => {
    complaints.expected.push(/broke/);
    const asked = await breakPage(page, async () => {
      await page.route(/\/e2e\/orders/, async (route) => {
        const response = await route.fetch();
        const name = "VITE_SENTRY_REPLAYS_ON_ERROR_SAMPLE_RATE";
        const body = (await response.text()).replace(
          new RegExp(`name="${name}" content="[^"]*"`),
          `name="${name}" content="0"`,
        );
        await route.fulfill({ response, body });
      });
    });
    const event = await sink.wait(BROWSER, "event");
    expect(event.tags?.replayId).toBeUndefined();
    expect(asked.filter((url) => /\/replay-/.test(url))).toEqual([]);
  });

  test("from a person who saves data", async ({ page, sink, complaints }) => {
    complaints.expected.push(/broke/);
    const asked = await breakPage(page, () =>
      page.addInitScript(() =>
        Object.defineProperty(navigator, "connection", { value: { saveData: true } }),
      ),
    );
    const event = await sink.wait(BROWSER, "event");
    expect(event.tags?.replayId).toBeUndefined();
    expect(asked.filter((url) => /\/replay-/.test(url))).toEqual([]);
  });
});

/** Visits a page that has been prepared, and breaks it. Returns the addresses that it asked for. */
async function breakPage(page: Page, prepare: () => Promise<unknown>): Promise<string[]> {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await prepare();
  await open(page);
  await page.getByRole("button", { name: "Break the order" }).click();
  return asked;
}
