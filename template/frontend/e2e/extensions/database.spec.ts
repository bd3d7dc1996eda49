import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { API, BROWSER, expect, test } from "../fixtures.ts";
import type { Payload } from "../sink.ts";

// One database for all of them.
test.describe.configure({ mode: "serial" });

const PYTHON = fileURLToPath(new URL("../../../backend/.venv/bin/python", import.meta.url));
const STATUS_404 = /status of 404/;
const STATUS_409 = /status of 409/;
const STATUS_500 = /status of 500/;
const STATUS_503 = /status of 503/;

/** Runs a statement on the API's own file, behind its back. */
function execute(statement: string): void {
  const code =
    "import sqlite3, sys; file = sqlite3.connect(sys.argv[1]); file.execute(sys.argv[2]); file.commit()";
  execFileSync(PYTHON, ["-c", code, `${process.env.DATA_FOLDER_ON}/app.sqlite3`, statement]);
}

async function create(page: Page, name: string): Promise<void> {
  await page.getByLabel("New item").fill(name);
  await page.getByRole("button", { name: "Create" }).click();
}

const row = (page: Page, name: string) => page.getByRole("listitem").filter({ hasText: name });

test.beforeEach(() => execute("DELETE FROM items"));

test("items are created, renamed and deleted, and are still there after a reload", async ({
  page,
}) => {
  await page.goto("/");
  await page.getByRole("link", { name: "Items" }).click();
  await expect(page.getByText("There are no items yet.")).toBeVisible();

  await create(page, "A first one");
  await expect(row(page, "A first one")).toBeVisible();
  await create(page, "Another");
  await expect(page.getByRole("listitem")).toHaveText([/^Another/, /^A first one/]);
  await expect(page.getByLabel("New item")).toHaveValue("");

  await page.getByRole("button", { name: "Rename A first one" }).click();
  await expect(page.getByLabel("New name of A first one")).toBeFocused();
  await page.getByLabel("New name of A first one").fill("The very first");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Rename The very first" })).toBeFocused();

  await page.getByRole("button", { name: "Delete Another" }).click();
  await expect(page.getByRole("listitem")).toHaveText([/^The very first/]);
  await page.reload();
  await expect(page.getByRole("listitem")).toHaveText([/^The very first/]);
});

test("a row that is open leaves the keyboard where somebody types", async ({ page }) => {
  await page.goto("/items");
  await create(page, "Open");
  await page.getByRole("button", { name: "Rename Open" }).click();
  const field = page.getByLabel("New item");
  await field.fill("Next");
  await field.press("Enter");
  await expect(row(page, "Next")).toBeVisible();
  await expect(field).toBeFocused();
});

test("another try that fails is told again", async ({ page, complaints }) => {
  complaints.expected.push(STATUS_503);
  const answer = { status: 503, json: { title: "Unavailable", detail: "The database is away." } };
  const answers: (() => void)[] = [];
  await page.route("**/api/v1/items?*", async (route) => {
    await new Promise<void>((resolve) => answers.push(resolve));
    await route.fulfill(answer);
  });
  await page.goto("/items");
  await expect.poll(() => answers.length).toBe(1);
  await expect(page.getByRole("status")).toHaveText("Loading");
  answers[0]?.();
  await expect(page.getByRole("alert")).toContainText("The database is away.");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect.poll(() => answers.length).toBe(2);
  await expect(page.getByRole("alert")).toHaveCount(0);
  answers[1]?.();
  await expect(page.getByRole("alert")).toContainText("The database is away.");
});

test("a long list has pages", async ({ page }) => {
  execute(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 21) " +
      "INSERT INTO items (name, created_at) SELECT 'item ' || i, '2026-01-01 00:00:00' FROM n",
  );
  await page.goto("/items");
  await expect(page.getByText("1 to 20 of 21")).toBeVisible();
  await page.getByRole("button", { name: "Older" }).click();
  await expect(page.getByText("21 to 21 of 21")).toBeVisible();

  await page.getByRole("listitem").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("1 to 20 of 20")).toBeVisible();
  await expect(page.getByRole("button", { name: "Older" })).toHaveCount(0);
});

test("a name that is taken is told where it was typed", async ({ page, complaints }) => {
  complaints.expected.push(STATUS_409);
  await page.goto("/items");
  await create(page, "Taken");
  await expect(row(page, "Taken")).toBeVisible();
  await create(page, "Taken");

  await expect(page.getByRole("alert")).toHaveText("There is an item with this name already.");
  await expect(page.getByRole("listitem")).toHaveCount(1);
  await expect(page.getByLabel("New item")).toHaveValue("Taken");
});

test("an item that somebody else has deleted is told", async ({ page, complaints }) => {
  complaints.expected.push(STATUS_404);
  await page.goto("/items");
  await create(page, "Gone");
  await expect(row(page, "Gone")).toBeVisible();
  execute("DELETE FROM items");
  await page.getByRole("button", { name: "Delete Gone" }).click();

  await expect(row(page, "Gone").getByRole("alert")).toHaveText("There is no such item.");
});

test("an error of the API shows its event, whose text and notes have no values", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(STATUS_500);
  await page.goto("/items");
  await expect(page.getByText("There are no items yet.")).toBeVisible();
  execute("ALTER TABLE items RENAME TO hidden");
  try {
    await create(page, "Rumpelstiltskin");
    const event = await sink.wait(API, "event");
    await expect(page.getByRole("alert")).toContainText("Something went wrong on our side.");
    await expect(page.getByRole("alert")).toContainText(event.event_id);
    expect(event.exception.values.at(-1).value).toContain("no such table: items");
    const told = [event.breadcrumbs, event.exception.values.map(({ value }: Payload) => value)];
    expect(JSON.stringify(told)).not.toContain("Rumpelstiltskin");

    await page.reload();
    await expect(page.getByRole("alert")).toContainText("Something went wrong on our side.");
  } finally {
    execute("ALTER TABLE hidden RENAME TO items");
  }
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("There are no items yet.")).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
  expect(await sink.items(BROWSER, "event")).toEqual([]);
});

test("the trace of a visit leads through the API into the database", async ({ page, sink }) => {
  await page.goto("/items");
  await expect(page.getByText("There are no items yet.")).toBeVisible();
  const request = await sink.wait(
    API,
    "transaction",
    ({ transaction }) => transaction === "/api/v1/items",
  );
  const statements = request.spans.filter(({ op }: { op: string }) => op === "db");
  expect(statements.map(({ description }: { description: string }) => description)).toContain(
    "SELECT count(*) AS count_1 FROM items",
  );
  const visit = await sink.wait(BROWSER, "transaction");
  expect(visit.contexts.trace.trace_id).toBe(request.contexts.trace.trace_id);
  for (const span of statements) {
    expect(span.trace_id).toBe(visit.contexts.trace.trace_id);
  }
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme, viewport: { width: 360, height: 800 } });

    test("the page is accessible and fits on a phone", async ({ page, complaints }) => {
      complaints.expected.push(STATUS_409);
      await page.goto("/items");
      await create(page, "Taken");
      await expect(row(page, "Taken")).toBeVisible();
      await create(page, "Taken");
      await expect(page.getByRole("alert")).toBeVisible();
      await page.getByRole("button", { name: "Rename Taken" }).click();

      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`)).toEqual(
        [],
      );
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    });
  });
}
