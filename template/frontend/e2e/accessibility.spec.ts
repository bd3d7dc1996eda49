import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures.ts";

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`)).toEqual([]);
}

async function expectNoOverflow(page: Page): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const [device, width] of [
    ["a phone", 360],
    ["a desktop", 1280],
  ] as const) {
    test.describe(`${colorScheme} on ${device}`, () => {
      test.use({ colorScheme, viewport: { width, height: 800 } });

      test("every state of the page is accessible and fits", async ({ page, complaints }) => {
        complaints.expected.push(/broke on purpose/, /status of 500/);
        await page.goto("/");
        await expect(page.getByRole("article").first()).toContainText("On");
        await page.getByRole("button", { name: "Break the browser" }).click();
        await page.getByRole("button", { name: "Break the backend" }).click();
        await expect(page.getByRole("log").getByRole("listitem")).toHaveCount(2);
        await expectAccessible(page);
        await expectNoOverflow(page);

        await page.getByRole("button", { name: "Send feedback" }).click();
        await expectAccessible(page);
        await page.keyboard.press("Escape");
        await page.getByRole("button", { name: "Break the page" }).click();
        await page.getByRole("button", { name: "Tell us what happened" }).click();
        await expect(page.getByLabel("What happened?")).toBeFocused();
        await expectAccessible(page);
        await expectNoOverflow(page);
      });

      test("so is what is shown when a part of it is missing", async ({ page, complaints }) => {
        complaints.expected.push(/ERR_FAILED|dynamically imported module/);
        await page.route(/assets\/(late|FeedbackForm)-.*js/, (route) => route.abort());
        await page.goto("/e2e/orders/1");
        await page.getByRole("link", { name: "Late page" }).click();
        await expect(page.getByRole("heading", { name: "There is a new version" })).toBeFocused();
        await expectAccessible(page);
        await page.getByRole("button", { name: "Tell us what happened" }).click();
        await expect(page.getByText("The form could not be loaded.")).toBeFocused();
        await expectAccessible(page);
        await expectNoOverflow(page);
      });
    });
  }
}

test("everything can be done with the keyboard", async ({ page, complaints }) => {
  complaints.expected.push(/broke on purpose/);
  const focusedText = () => page.evaluate(() => document.activeElement?.textContent);
  const tabTo = async (name: string) => {
    for (let step = 0; step < 20; step++) {
      await page.keyboard.press("Tab");
      if ((await focusedText()) === name) {
        return;
      }
    }
    throw new Error(`Tab does not reach ${name}`);
  };
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Diagnostics" })).toBeVisible();
  await tabTo("Break the browser");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("log").getByRole("listitem")).toHaveCount(1);

  await tabTo("Send feedback");
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("What happened?")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Send feedback" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("What happened?")).toBeFocused();
  await page.keyboard.type("Typed without a mouse");
  await tabTo("Send");
  await page.keyboard.press("Enter");
  await expect(page.getByText("Thank you")).toBeFocused();
  await tabTo("Close");
  await page.keyboard.press("Enter");

  await tabTo("Break the page");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Something went wrong" })).toBeFocused();
  await tabTo("Copy IDs");
  await tabTo("Tell us what happened");
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("What happened?")).toBeFocused();
  await tabTo("Cancel");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Tell us what happened" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("What happened?")).toBeFocused();
  await page.keyboard.type("The page broke");
  await tabTo("Send");
  await page.keyboard.press("Enter");
  await expect(page.getByText("Thank you")).toBeFocused();
  await page.getByRole("heading", { name: "Something went wrong" }).focus();
  await tabTo("Try again");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Diagnostics" })).toBeVisible();
});
