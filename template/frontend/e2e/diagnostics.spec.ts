import { API, BROWSER, expect, hold, sendFeedback, test } from "./fixtures.ts";
import { ENVIRONMENT, RELEASE } from "./stack.ts";

const BROKEN_BROWSER = /the browser broke on purpose/;
const STATUS_404 = /status of 404/;
const STATUS_500 = /status of 500/;

test.beforeEach(async ({ page }) => {
  await page.goto("/");
});

test("the page shows how both sides are configured", async ({ page }) => {
  for (const side of ["Browser", "API"]) {
    const card = page
      .getByRole("article")
      .filter({ has: page.getByRole("heading", { name: side }) });
    await expect(card).toContainText("On");
    await expect(card).toContainText(RELEASE);
    await expect(card).toContainText(ENVIRONMENT);
    await expect(card).toContainText("100 %");
  }
});

test("what the API answers moves no button from under the mouse", async ({ page }) => {
  const answer = await hold(page, "**/api/v1/sentry-debug");
  await page.goto("/");
  const button = page.getByRole("button", { name: "Break the backend" });
  const before = await button.boundingBox();
  answer();
  await expect(page.getByRole("article").getByText("On", { exact: true })).toHaveCount(2);
  expect(await button.boundingBox()).toEqual(before);
});

test("an uncaught browser error arrives once, and its ids are shown", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(BROKEN_BROWSER);
  await page.getByRole("button", { name: "Break the browser" }).click();
  const event = await sink.wait(BROWSER, "event");

  expect(event.exception.values).toHaveLength(1);
  const [exception] = event.exception.values;
  expect(exception.type).toBe("Error");
  expect(exception.value).toBe("Diagnostics: the browser broke on purpose");
  expect(exception.mechanism.handled).toBe(false);
  expect(exception.stacktrace.frames.length).toBeGreaterThan(1);
  expect(event.release).toBe(RELEASE);
  expect(event.environment).toBe(ENVIRONMENT);

  const log = page.getByRole("log");
  await expect(log).toContainText(event.event_id);
  await expect(log).toContainText(event.contexts.trace.trace_id);
  await sendFeedback(page, sink);
  expect(await sink.items(BROWSER, "event")).toHaveLength(1);
});

test("the same error again is sent and shown again", async ({ page, sink, complaints }) => {
  complaints.expected.push(BROKEN_BROWSER);
  const entries = page.getByRole("log").getByRole("listitem");
  for (const count of [1, 2, 3]) {
    await page.getByRole("button", { name: "Break the browser" }).click();
    await expect(entries).toHaveCount(count);
  }
  const events = await sink.items(BROWSER, "event");
  expect(new Set(events.map((event) => event.event_id)).size).toBe(3);
  for (const { event_id } of events) {
    await expect(page.getByRole("log")).toContainText(event_id);
  }
});

test("a backend error is sent by the API only, and the page shows its event id", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(STATUS_500);
  const answer = page.waitForResponse("**/sentry-test/error");
  await page.getByRole("button", { name: "Break the backend" }).click();
  const problem = await (await answer).json();
  const event = await sink.wait(API, "event");

  expect(problem.event_id).toBe(event.event_id);
  expect(problem.trace_id).toBe(event.contexts.trace.trace_id);
  await expect(page.getByRole("log")).toContainText(event.event_id);
  await sendFeedback(page, sink);
  expect(await sink.items(BROWSER, "event")).toEqual([]);
  expect(await sink.items(API, "event")).toHaveLength(1);
});

test("errors of both sides of one visit share a trace", async ({ page, sink, complaints }) => {
  complaints.expected.push(BROKEN_BROWSER, STATUS_500);
  await page.getByRole("button", { name: "Break the browser" }).click();
  await page.getByRole("button", { name: "Break the backend" }).click();
  const [inBrowser, inApi] = [await sink.wait(BROWSER, "event"), await sink.wait(API, "event")];

  expect(inBrowser.contexts.trace.trace_id).toMatch(/^[0-9a-f]{32}$/);
  expect(inApi.contexts.trace.trace_id).toBe(inBrowser.contexts.trace.trace_id);
  const visit = await sink.wait(BROWSER, "transaction");
  expect(visit.contexts.trace.trace_id).toBe(inBrowser.contexts.trace.trace_id);
  expect(visit.contexts.trace.op).toBe("pageload");
});

test("a slow request shows the trace in which it was slow", async ({ page, sink }) => {
  await page.getByRole("button", { name: "Make a slow request" }).click();
  const log = page.getByRole("log");
  await expect(log).toContainText("After 2 seconds");
  const request = await sink.wait(API, "transaction", ({ transaction }) =>
    /slow/.test(transaction),
  );
  await expect(log).toContainText(request.contexts.trace.trace_id);
});

test("feedback arrives with what the person wrote", async ({ page, sink }) => {
  await page.getByRole("button", { name: "Send feedback" }).click();
  await page.getByLabel("What happened?").fill("The list is empty.");
  await page.getByLabel("Name").fill("Ada");
  await page.getByLabel("E-mail").fill("ada@example.com");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("Thank you");
  const { contexts, event_id } = await sink.wait(BROWSER, "feedback");

  expect(contexts.feedback.message).toBe("The list is empty.");
  expect(contexts.feedback.name).toBe("Ada");
  expect(contexts.feedback.contact_email).toBe("ada@example.com");
  await page.getByRole("button", { name: "Close" }).click();
  await expect(page.getByRole("log")).toContainText(event_id);
});

test.describe("with Sentry on in the page only", () => {
  test.use({ sentry: "lost" });

  test("the page says that its events are lost, and what helps", async ({ page, complaints }) => {
    complaints.expected.push(STATUS_404);
    const api = page
      .getByRole("article")
      .filter({ has: page.getByRole("heading", { name: "API" }) });
    await expect(api).toContainText("they are lost. Give the API VITE_SENTRY_DSN");
    await expect(api).not.toContainText("Collected");
  });
});
