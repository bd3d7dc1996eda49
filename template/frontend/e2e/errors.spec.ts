import { BROWSER, expect, sendFeedback, test } from "./fixtures.ts";

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
  await page.getByRole("button", { name: "Copy IDs" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(`event ${eventId}, trace ${contexts.trace.trace_id}`);

  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("heading", { name: "Diagnostics" })).toBeVisible();
  await expect(page.getByRole("log")).toContainText(eventId);
  await sendFeedback(page, sink);
  expect(await sink.items(BROWSER, "event")).toHaveLength(1);
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
  await page.route("**/api/v1/**", (route) => route.abort());
  await page.goto("/");
  await expect(page.getByText("The API does not answer.")).toBeVisible();
  await sendFeedback(page, sink);
  expect(await sink.items(BROWSER, "event")).toEqual([]);
});
