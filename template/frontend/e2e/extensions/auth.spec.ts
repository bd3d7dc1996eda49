import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { BROWSER, expect, sendFeedback, test } from "../fixtures.ts";
import { startApi, startPage } from "../stack.ts";

/** How long tokens are valid that expire here, in seconds: long enough to be used once. */
const SECONDS = 6;
const STATUS_401 = /status of 401/;
const STATUS_404 = /status of 404/;

/** The sign-in exists in development only, and everything else here is staging: an API and a page of their own. */
const stops: (() => unknown)[] = [];
let own = "";

test.beforeAll(async () => {
  own = await start(3600);
});

/** Starts an API whose tokens are valid for so many seconds, and returns the address of its page. */
async function start(seconds: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "e2e-auth-"));
  stops.push(() => rmSync(folder, { recursive: true }));
  const dsn = (project: number) =>
    `${(process.env.SINK_URL ?? "").replace("//", "//sink@")}/${project}`;
  const api = await startApi(join(folder, "data"), dsn(1), dsn(2), {
    ENVIRONMENT: "development",
    SENTRY_ENVIRONMENT: "development",
    AUTH_TOKEN_SECONDS: String(seconds),
    AUTH_LEEWAY_SECONDS: "0",
  });
  stops.push(api.stop);
  const page = await startPage(join(folder, "page"), dsn(2), api.url);
  stops.push(page.stop);
  return page.url;
}

test.afterAll(async () => {
  for (const stop of stops.reverse()) {
    await stop();
  }
});

test("somebody signs in, is known, and signs out; the token is nowhere but in memory", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(STATUS_401, /the browser broke on purpose/);
  await page.goto(own);
  await page.getByRole("link", { name: "Account" }).click();
  await expect(page.getByRole("status")).toHaveText("Nobody is signed in.");

  const answer = page.waitForResponse("**/auth/sign-in");
  const asked = page.waitForRequest("**/api/v1/me");
  await page.getByLabel("Name").fill("Ada Canary");
  await page.getByRole("button", { name: "Sign in" }).click();
  const { access_token: token } = await (await answer).json();
  expect((await asked).headers().authorization).toBe(`Bearer ${token}`);
  await expect(page.getByRole("status")).toHaveText("Signed in as Ada Canary");
  const id = await page.locator("dd code").textContent();
  expect(id).toMatch(/^dev-[0-9a-f]{16}$/);

  const stored = await page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state]),
  );
  expect(stored).not.toContain(token);

  // An error while somebody is signed in names them by their id.
  await page.getByRole("link").first().click();
  await page.getByRole("button", { name: "Break the browser" }).click();
  const event = await sink.wait(BROWSER, "event");
  expect(event.user.id).toBe(id);
  expect(event.user.username).toBeUndefined();
  expect(event.user.email).toBeUndefined();

  await page.getByRole("link", { name: "Account" }).click();
  const signOut = page.getByRole("button", { name: "Sign out" });
  await signOut.click();
  await expect(page.getByRole("status")).toHaveText("Nobody is signed in.");
  await page.getByRole("link").first().click();
  await sendFeedback(page, sink);
  for (const { text } of await sink.received()) {
    expect(text).not.toContain("Ada Canary");
    for (const part of token.split(".").slice(1)) {
      expect(text).not.toContain(part);
    }
  }
});

test("an expired sign-in ends with a sentence and is no error", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(STATUS_401);
  await page.goto(`${await start(SECONDS)}/sign-in`);
  await page.getByLabel("Name").fill("Grace");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("status")).toHaveText("Signed in as Grace");
  const ask = page.getByRole("button", { name: "Ask again" });
  await expect(async () => {
    // The answer to the question before may come between two looks.
    if (await ask.isVisible()) {
      await ask.click({ timeout: 1000 });
    }
    await expect(ask).toBeHidden({ timeout: 500 });
  }).toPass();
  await expect(page.getByRole("status")).toHaveText("The sign-in has expired. Sign in again.");

  await page.getByLabel("Name").fill("Grace");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("status")).toHaveText("Signed in as Grace");
  await sink.settled();
  expect(await sink.items(BROWSER, "event")).toEqual([]);
});

test("what goes wrong is told to who it is about", async ({ page, complaints }) => {
  complaints.expected.push(/status of 503/);
  await page.goto(`${own}/sign-in`);
  // While the route comes, its "Loading" is a status too, of an element that goes.
  await expect(page.getByRole("status")).toHaveText("Nobody is signed in.");
  const status = await page.getByRole("status").elementHandle();
  await page.getByLabel("Name").fill("Grace");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("status")).toHaveText("Signed in as Grace");
  // What is read out is what changes within an element that was there.
  expect(await status?.textContent()).toBe("Signed in as Grace");
  await page.route("**/api/v1/me", (route) => route.fulfill({ status: 503 }));
  await page.getByRole("button", { name: "Ask again" }).click();
  await expect(page.getByRole("alert")).toHaveText("The API does not answer.");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("status")).toHaveText("Nobody is signed in.");
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("a page that is loaded anew knows nobody", async ({ page }) => {
  await page.goto(`${own}/sign-in`);
  await page.getByLabel("Name").fill("Grace");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("status")).toHaveText("Signed in as Grace");
  await page.reload();
  await expect(page.getByRole("status")).toHaveText("Nobody is signed in.");
});

test("outside development there is no such sign-in, and the page says so", async ({
  page,
  complaints,
}) => {
  complaints.expected.push(STATUS_404);
  await page.goto("/sign-in");
  await page.getByLabel("Name").fill("Ada");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("There is no sign-in for development here.");
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`${colorScheme} on a phone`, () => {
    test.use({ colorScheme, viewport: { width: 360, height: 800 } });

    test("the page is accessible and fits, signed in and not", async ({ page, complaints }) => {
      complaints.expected.push(STATUS_404);
      await page.goto("/sign-in");
      await page.getByLabel("Name").fill("Ada");
      await page.getByRole("button", { name: "Sign in" }).click();
      await expect(page.getByRole("alert")).toBeVisible();
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
      await page.goto(`${own}/sign-in`);
      await page.getByLabel("Name").fill("Ada");
      await page.getByRole("button", { name: "Sign in" }).click();
      await expect(page.getByRole("status")).toHaveText("Signed in as Ada");
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    });
  });
}
