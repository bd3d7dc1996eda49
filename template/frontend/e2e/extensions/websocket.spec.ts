import AxeBuilder from "@axe-core/playwright";
import type { WebSocketRoute } from "@playwright/test";
import { API, BROWSER, expect, sendFeedback, test } from "../fixtures.ts";

const CANARY = "canary-said-in-the-room";

test("two pages speak with each other", async ({ page, context }) => {
  const other = await context.newPage();
  for (const one of [page, other]) {
    await one.goto("/websocket");
    await expect(one.getByRole("status")).toHaveText("Connected");
  }
  await page.getByRole("textbox").fill("hello over there");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("log")).toContainText("You hello over there");
  await expect(other.getByRole("log")).toContainText("Somebody hello over there");
  await expect(page.getByRole("textbox")).toHaveValue("");
  await page.getByRole("textbox").fill("and once more");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(other.getByRole("listitem")).toHaveText([/and once more/, /hello over there/]);
  await other.close();
});

test("the header leads there, and away from there the connection ends", async ({ page }) => {
  await page.goto("/");
  const opening = page.waitForEvent("websocket");
  await page.getByRole("link", { name: "Live" }).click();
  const socket = await opening;
  await expect(page.getByRole("status")).toHaveText("Connected");
  expect(new URL(socket.url()).pathname).toBe("/api/v1/ws");
  const closing = socket.waitForEvent("close");
  await page.goBack();
  await closing;
});

test("a connection that the server closes comes back by itself", async ({ page, sink }) => {
  let route: WebSocketRoute | undefined;
  let connections = 0;
  await page.routeWebSocket("**/api/v1/ws", (socket) => {
    route = socket;
    connections += 1;
    socket.connectToServer();
  });
  await page.goto("/websocket");
  await expect(page.getByRole("status")).toHaveText("Connected");
  const before = await page.locator("dd code").textContent();
  // All of them, because the first may be gone before anybody looks.
  const states = await page.getByRole("status").evaluateHandle((status) => {
    const texts: (string | null)[] = [];
    new MutationObserver(() => texts.push(status.textContent)).observe(status, {
      childList: true,
      characterData: true,
      subtree: true,
    });
    return texts;
  });
  await route?.close({ code: 1012 });
  await expect.poll(() => states.jsonValue()).toEqual(["Reconnecting", "Connecting", "Connected"]);
  await expect(page.locator("dd code")).not.toHaveText(before ?? "");
  expect(connections).toBe(2);
  await page.getByRole("textbox").fill("back again");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("log")).toContainText("You back again");
  await sink.settled();
  expect(await sink.items(BROWSER, "event")).toEqual([]);
});

test("without a network it waits for one", async ({ page, context, complaints }) => {
  // What the SDK may just be sending.
  complaints.expected.push(/ERR_INTERNET_DISCONNECTED/);
  await page.goto("/websocket");
  await expect(page.getByRole("status")).toHaveText("Connected");
  let route: WebSocketRoute | undefined;
  await page.routeWebSocket("**/api/v1/ws", (socket) => {
    route = socket;
    socket.connectToServer();
  });
  await page.reload();
  await expect(page.getByRole("status")).toHaveText("Connected");
  await context.setOffline(true);
  await route?.close({ code: 1012 });
  await expect(page.getByRole("status")).toHaveText("Paused");
  await context.setOffline(false);
  await expect(page.getByRole("status")).toHaveText("Connected");
});

test("an error of the server is one event with the connection's id, and the page shows it", async ({
  page,
  sink,
}) => {
  await page.goto("/websocket");
  await expect(page.getByRole("status")).toHaveText("Connected");
  const connectionId = await page.locator("dd code").textContent();
  await page.getByRole("textbox").fill(CANARY);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("button", { name: /Break/ }).click();
  await expect(page.getByRole("log")).toContainText("Something went wrong on our side.");

  // The events of a message have a trace of their own, so the sink knows them by their tag.
  const find = async () =>
    (await sink.received())
      .flatMap(({ project, items }) => (project === API ? items : []))
      .filter(({ header }) => header.type === "event")
      .map(({ text }) => JSON.parse(text))
      .filter(({ tags }) => tags?.connection_id === connectionId);
  await expect.poll(async () => (await find()).length).toBe(1);
  const [event] = await find();
  expect(event.tags.websocket).toBe("true");
  expect(event.exception.values[0].value).toBe("The WebSocket broke on purpose");
  await expect(page.getByRole("log")).toContainText(event.event_id);
  await expect(page.getByRole("status")).toHaveText("Connected");

  await page.goto("/");
  await sendFeedback(page, sink);
  expect(await sink.items(BROWSER, "event")).toEqual([]);
  expect(await find()).toHaveLength(1);
  expect((await sink.received()).filter(({ text }) => text.includes(CANARY))).toEqual([]);
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`${colorScheme} on a phone`, () => {
    test.use({ colorScheme, viewport: { width: 360, height: 800 } });

    test("the page is accessible and fits, with and without messages", async ({ page }) => {
      await page.goto("/websocket");
      await expect(page.getByRole("status")).toHaveText("Connected");
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
      await page.getByRole("textbox").fill("hello");
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByRole("button", { name: /Break/ }).click();
      await expect(page.getByRole("listitem")).toHaveCount(2);
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    });
  });
}
