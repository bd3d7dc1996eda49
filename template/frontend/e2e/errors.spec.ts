import type { Page } from "@playwright/test";
import { API, BROWSER, expect, holdSdk, sendFeedback, test } from "./fixtures.ts";

const BROKEN_PAGE = /the page broke on purpose/;

test("an error while rendering shows the error page and arrives once", async ({
  page,
  sink,
  complaints,
  context,
}) => {
  complaints.expected.push(BROKEN_PAGE);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto("/");
  await page.getByRole("button", { name: "Break the page" }).click();
  await expect(page.getByRole("heading", { name: "Something went wrong" })).toBeFocused();
  const event = await sink.wait(BROWSER, "event");
  const [cause, exception] = event.exception.values;
  expect(exception.value).toBe("Diagnostics: the page broke on purpose");
  expect(exception.mechanism.type).toBe("auto.function.react.error_handler");
  expect(cause.type).toContain("React ErrorBoundary");

  const { event_id: eventId, contexts } = event;
  await expect(page.getByRole("main")).toContainText(eventId);
  await expect(page.getByRole("main")).toContainText(contexts.trace.trace_id);
  // Looked for before the click already, because it is said for two seconds only.
  await Promise.all([
    page.getByRole("button", { name: "Copied" }).waitFor(),
    page.getByRole("button", { name: "Copy IDs" }).click(),
  ]);
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(`event ${eventId}, trace ${contexts.trace.trace_id}`);

  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("heading", { name: "Diagnostics" })).toBeVisible();
  await expect(page.getByRole("log")).toContainText(eventId);
  await sendFeedback(page, sink);
  expect(await sink.items(BROWSER, "event")).toHaveLength(1);
});

test("an error that comes again has an id of its own until there are too many", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(BROKEN_PAGE);
  const shown: (string | null)[] = [];
  await page.goto("/");
  for (let round = 0; round < 10; round++) {
    await page.getByRole("button", { name: "Break the page" }).click();
    shown.push(await page.getByRole("definition").first().locator("code").textContent());
    await page.getByRole("button", { name: "Try again" }).click();
  }
  await page.getByRole("button", { name: "Break the page" }).click();
  await expect(page.getByText("came too often")).toBeVisible();
  await expect(page.getByRole("definition")).toHaveCount(0);
  await page.getByRole("button", { name: "Try again" }).click();
  await sendFeedback(page, sink);
  const events = await sink.items(BROWSER, "event");
  expect(events.map((event) => event.event_id)).toEqual(shown);
});

test("feedback from the error page belongs to the error", async ({ page, sink, complaints }) => {
  complaints.expected.push(BROKEN_PAGE);
  await page.goto("/");
  await page.getByRole("button", { name: "Break the page" }).click();
  await page.getByRole("button", { name: "Tell us what happened" }).click();
  await page.getByLabel("What happened?").fill("I pressed the last button.");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByText("Thank you")).toBeFocused();
  const [event, feedback] = [
    await sink.wait(BROWSER, "event"),
    await sink.wait(BROWSER, "feedback"),
  ];
  expect(feedback.contexts.feedback.associated_event_id).toBe(event.event_id);
});

test("an error page that breaks itself leaves nobody with an empty page", async ({
  page,
  complaints,
}) => {
  complaints.expected.push(BROKEN_PAGE, /no entropy/);
  await page.goto("/");
  await page.evaluate(() =>
    Object.defineProperty(crypto, "getRandomValues", {
      value: () => {
        throw new Error("no entropy");
      },
    }),
  );
  await page.getByRole("button", { name: "Break the page" }).click();
  await page.getByRole("button", { name: "Reload the page" }).click();
  await expect(page.getByRole("heading", { name: "Diagnostics" })).toBeVisible();
});

test("feedback from before the SDK asks to keep the page open, and then arrives", async ({
  page,
  sink,
}) => {
  const release = await holdSdk(page);
  await page.goto("/");
  await page.getByRole("button", { name: "Send feedback" }).click();
  await page.getByLabel("What happened?").fill("Early words");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("keep this page open");
  release();
  await expect(page.getByRole("dialog")).toContainText("Thank you");
  await sink.wait(
    BROWSER,
    "feedback",
    ({ contexts }) => contexts.feedback.message === "Early words",
  );
});

test("an unknown address is explained and not reported", async ({ page, sink }) => {
  await page.goto("/no/such/page");
  await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
  await page.getByRole("link", { name: "Go to the start page" }).click();
  await sendFeedback(page, sink);
  expect(await sink.items(BROWSER, "event")).toEqual([]);
});

test("an API that does not answer is explained and not an error of the page", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/ERR_FAILED/);
  await page.route("**/api/v1/sentry-*", (route) => route.abort());
  await page.goto("/");
  await expect(page.getByText("The API does not answer.")).toBeVisible();
  await sendFeedback(page, sink);
  expect(await sink.items(BROWSER, "event")).toEqual([]);
});

test("a page in place of an answer is explained and not an error of the page", async ({
  page,
  sink,
}) => {
  await page.route("**/api/v1/sentry-*/**", (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html>" }),
  );
  await page.goto("/");
  for (const name of ["Break the backend", "Make a slow request"]) {
    await page.getByRole("button", { name }).click();
    await expect(page.getByRole("log").getByRole("listitem").first()).toContainText(
      "The API does not answer.",
    );
  }
  await sendFeedback(page, sink);
  expect(await sink.items(BROWSER, "event")).toEqual([]);
});

test("closed test endpoints are explained", async ({ page, complaints }) => {
  complaints.expected.push(/status of 404/);
  const json = { title: "Not Found", status: 404 };
  await page.route("**/api/v1/**", (route) => route.fulfill({ status: 404, json }));
  await page.goto("/");
  await page.getByRole("button", { name: "Break the backend" }).click();
  await expect(page.getByRole("log")).toContainText("closed here, as they are in production");
});

test("what Sentry refuses is not shown as sent", async ({ page, complaints }) => {
  complaints.expected.push(/broke on purpose/, /status of 429/);
  await page.route("**/api/v1/tunnel", (route) => route.fulfill({ status: 429 }));
  await page.goto("/");
  await page.getByRole("button", { name: "Break the browser" }).click();
  await expect(page.getByRole("log")).toContainText("Sentry did not take it");
  await page.getByRole("button", { name: "Send feedback" }).click();
  await page.getByLabel("What happened?").fill("Hello?");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("Your message has not arrived.");
});

test("an SDK that is blocked is explained", async ({ page, complaints }) => {
  complaints.expected.push(/broke on purpose/, /ERR_FAILED|Failed to fetch/);
  await page.route("**/assets/sdk-*.js", (route) => route.abort());
  await page.goto("/");
  await page.getByRole("button", { name: "Break the browser" }).click();
  await expect(page.getByRole("article").first()).toContainText("could not be loaded");
  await page.getByRole("button", { name: "Break the browser" }).click();
  await expect(page.getByRole("log").getByText("could not be loaded")).toHaveCount(2);
  await page.getByRole("button", { name: "Send feedback" }).click();
  await page.getByLabel("What happened?").fill("Hello?");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("Your message has not arrived.");
});

test("errors from before the SDK arrive once each, as they happened", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/broke on purpose/, /rejected early/);
  const release = await holdSdk(page);
  await page.goto("/");
  await page.getByRole("button", { name: "Break the browser" }).click();
  await page.evaluate(() =>
    new Promise((resolve) => {
      addEventListener("unhandledrejection", resolve, { once: true });
      setTimeout(() => Promise.reject(new TypeError("rejected early")));
    }).then(() => undefined),
  );
  await page.goto("/#elsewhere");
  const before = Date.now() / 1000;
  release();
  await sendFeedback(page, sink);

  const events = await sink.items(BROWSER, "event");
  expect(events.map((event) => event.exception.values[0].type)).toEqual(["Error", "TypeError"]);
  for (const event of events) {
    expect(event.timestamp).toBeLessThan(before);
    expect(event.exception.values[0].mechanism.handled).toBe(false);
  }
  const frames = events[0].exception.values[0].stacktrace.frames;
  expect(frames.at(-1).filename).toContain("/assets/index-");
});

test("what is thrown without being an error arrives once, early and late", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/in plain words/);
  const release = await holdSdk(page);
  await page.goto("/");
  const throwWords = (words: string) =>
    page.evaluate((thrown) => {
      setTimeout(() => {
        throw `${thrown} in plain words`;
      });
    }, words);
  await throwWords("early");
  release();
  await expect(page.getByRole("article").first()).toContainText("On");
  await throwWords("late");
  await sendFeedback(page, sink);
  const events = await sink.items(BROWSER, "event");
  expect(events.map((event) => event.exception?.values[0].value ?? event.message)).toEqual([
    "early in plain words",
    "late in plain words",
  ]);
});

test("requests from before the SDK belong to the trace of the visit", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/status of 500/, /broke on purpose/);
  const release = await holdSdk(page);
  await page.goto("/");
  await page.getByRole("button", { name: "Break the backend" }).click();
  const inApi = await sink.wait(API, "event");
  release();
  await page.getByRole("button", { name: "Break the browser" }).click();
  const inBrowser = await sink.wait(BROWSER, "event");
  expect(inApi.contexts.trace.trace_id).toBe(inBrowser.contexts.trace.trace_id);
});

test("a chunk that does not load leaves the page alone and is asked for again", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/broke on purpose/, /ERR_FAILED|Failed to fetch/);
  let refusals = 0;
  await page.route("**/assets/sdk-*.js", (route) => {
    refusals += 1;
    return refusals === 1 ? route.abort() : route.continue();
  });
  await page.goto("/");
  await page.getByRole("button", { name: "Break the browser" }).click();
  await sink.wait(BROWSER, "event");
  expect(refusals).toBe(2);
});

/** Throws in the page and returns the addresses that it sends envelopes to. */
async function breakAndListen(page: Page): Promise<string[]> {
  const addresses = new Set<string>();
  page.on("request", (request) => {
    if (/envelope|tunnel/.test(request.url())) {
      addresses.add(request.url());
    }
  });
  await page.goto("/");
  await page.getByRole("button", { name: "Break the browser" }).click();
  await expect(page.getByRole("log")).toContainText("Sent");
  return [...addresses];
}

test("events go through the API's tunnel, which passes on the page's envelope", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/broke on purpose/);
  expect(await breakAndListen(page)).toEqual([new URL("/api/v1/tunnel", page.url()).href]);
  const { event_id: eventId } = await sink.wait(BROWSER, "event");
  const found = (await sink.received()).find(({ text }) => text.includes(eventId));
  expect(found?.agent).toBe("tunnel");
  expect(found?.header.dsn).toContain("sink@127.0.0.1");
});

test("a blocker that knows Sentry's addresses takes nothing", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/broke on purpose/);
  await page.route(/\/api\/\d+\/envelope|sentry\.io/, (route) => route.abort("blockedbyclient"));
  await breakAndListen(page);
  await sink.wait(BROWSER, "event");
});

test.describe("without a tunnel", () => {
  test.use({ sentry: "direct" });

  test("events go straight to the address of the DSN", async ({ page, sink, complaints }) => {
    complaints.expected.push(/broke on purpose/);
    for (const address of await breakAndListen(page)) {
      expect(address).toContain(`${process.env.SINK_URL}/api/${BROWSER}/envelope/`);
    }
    const { event_id: eventId } = await sink.wait(BROWSER, "event");
    const found = (await sink.received()).find(({ text }) => text.includes(eventId));
    expect(found?.agent).toContain("Chrome/");
  });
});

test.describe("without a DSN", () => {
  test.use({ sentry: "off" });

  test("the SDK is never requested, and the page says that Sentry is off", async ({
    page,
    complaints,
  }) => {
    complaints.expected.push(/broke on purpose/, /status of 500/);
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.goto("/");
    await expect(page.getByText("Sentry is off in the browser")).toBeVisible();
    await expect(page.getByText("Sentry is off in the API")).toBeVisible();

    const log = page.getByRole("log");
    for (const name of ["Break the browser", "Break the backend"]) {
      await page.getByRole("button", { name }).click();
      await expect(log.getByRole("listitem").filter({ hasText: name.slice(10) })).toContainText(
        "Not sent",
        { ignoreCase: true },
      );
    }
    await page.getByRole("button", { name: "Send feedback" }).click();
    await page.getByLabel("What happened?").fill("Hello?");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await expect(page.getByText("Sentry is off, so nothing was sent.")).toBeVisible();
    await page.getByRole("button", { name: "Close" }).click();
    await page.getByRole("button", { name: "Break the page" }).click();
    await expect(page.getByText("Sentry is off, so this error was not reported.")).toBeVisible();

    expect(requests.filter((url) => /sdk-|envelope|tunnel/.test(url))).toEqual([]);
  });
});
