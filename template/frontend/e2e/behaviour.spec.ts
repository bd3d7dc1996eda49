import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { API, BROWSER, eventsOf, expect, holdSdk, test } from "./fixtures.ts";
import type { Payload } from "./sink.ts";

const project = JSON.parse(
  readFileSync(new URL("../../contracts/project.json", import.meta.url), "utf8"),
);

const crumbsOf = (event: Payload, category: string): Payload[] =>
  event.breadcrumbs.filter((crumb: Payload) => crumb.category === category);

/** Opens an address and waits until the SDK is there. */
async function open(page: Page, address: string): Promise<void> {
  const loaded = page.waitForResponse("**/assets/sdk-*.js");
  await page.goto(address);
  await loaded;
  // The SDK has wrapped what it listens to.
  await page.waitForFunction(() => "__sentry_original__" in fetch);
}

test.describe("routes", () => {
  test("page load, navigation and errors are called by their route", async ({
    page,
    sink,
    complaints,
  }) => {
    complaints.expected.push(/The order broke/);
    await open(page, "/e2e/orders/first-canary?tab=canary#canary");
    const visit = await sink.wait(BROWSER, "transaction");
    expect(visit.transaction).toBe("/e2e/orders/:orderId");
    expect(visit.transaction_info.source).toBe("route");
    expect(visit.contexts.trace.op).toBe("pageload");

    await page.getByRole("link", { name: "Next order" }).click();
    await expect(page.getByRole("heading", { name: "Order next" })).toBeVisible();
    await page.getByRole("button", { name: "Break the order" }).click();
    const event = await sink.wait(BROWSER, "event");
    expect(event.transaction).toBe("/e2e/orders/:orderId");
    expect(crumbsOf(event, "navigation").at(-1).data).toEqual({
      from: "/e2e/orders/:orderId",
      to: "/e2e/orders/:orderId",
    });
    const navigation = await sink.wait(
      BROWSER,
      "transaction",
      ({ contexts }) => contexts.trace.op === "navigation",
    );
    expect(navigation.transaction).toBe("/e2e/orders/:orderId");
    expect(navigation.transaction_info.source).toBe("route");
  });

  test("an error from before the SDK has the route at which it happened", async ({
    page,
    sink,
    complaints,
  }) => {
    complaints.expected.push(/The order broke/);
    const release = await holdSdk(page);
    await page.goto("/e2e/orders/first");
    await page.getByRole("button", { name: "Break the order" }).click();
    await page.evaluate(() => history.pushState(null, "", "/"));
    release();
    const event = await sink.wait(BROWSER, "event");
    expect(event.transaction).toBe("/e2e/orders/:orderId");
    const visit = await sink.wait(BROWSER, "transaction");
    expect(visit.transaction).toBe("/e2e/orders/:orderId");
  });

  test("an unknown address has no name of its own", async ({ page, sink }) => {
    await open(page, "/no/such/canary");
    const visit = await sink.wait(BROWSER, "transaction");
    expect(visit.transaction).toBe("/*");
  });
});

test.describe("breadcrumbs", () => {
  test("say what the person did by structure, route and name of field", async ({
    page,
    sink,
    complaints,
  }) => {
    complaints.expected.push(/The order broke/);
    const answered = page.waitForResponse("**/api/v1/sentry-debug");
    await page.goto("/");
    await answered;
    await expect(page.getByRole("article").first()).toContainText("On");
    await page.evaluate(() => {
      history.pushState(null, "", "/e2e/orders/canary");
      dispatchEvent(new PopStateEvent("popstate"));
    });
    await page.getByLabel("Card number").fill("4111 1111 1111 1111");
    await page.getByLabel("Comment").fill("canary");
    await page.getByRole("button", { name: "Pay" }).click();
    await page.getByRole("button", { name: "Break the order" }).click();
    const event = await sink.wait(BROWSER, "event");

    expect(crumbsOf(event, "api").map(({ data }) => data)).toContainEqual({
      method: "GET",
      url: "/api/v1/sentry-debug",
      status_code: 200,
    });
    expect(crumbsOf(event, "fetch")).toEqual([]);
    expect(crumbsOf(event, "navigation").at(-1).data).toEqual({
      from: "/",
      to: "/e2e/orders/:orderId",
    });
    const [sent] = crumbsOf(event, "ui.submit");
    expect(sent.message).toMatch(/section > form$/);
    expect(sent.data.fields).toEqual(["card_number", "password", "comment"]);
    expect(crumbsOf(event, "ui.click").at(-1).message).toMatch(/section > button$/);
    expect(JSON.stringify(event.breadcrumbs)).not.toMatch(/canary|4111/);
  });
});

test.describe("an error is reported once", () => {
  const cases = [
    {
      where: "an event handler",
      path: "orders/1",
      button: "Break the order",
      is: "The order broke",
    },
    { where: "an effect", path: "break", button: "Break in an effect", is: "The effect broke" },
    { where: "a promise", path: "break", button: "Break in a promise", is: "The promise broke" },
  ];
  for (const { where, path, button, is } of cases) {
    test(`from ${where}`, async ({ page, sink, complaints }) => {
      complaints.expected.push(new RegExp(is));
      await open(page, `/e2e/${path}`);
      await page.getByRole("button", { name: button }).click();
      await sink.wait(BROWSER, "event");
      const values = (await eventsOf(sink)).map(({ exception }) => exception.values.at(-1).value);
      expect(values).toEqual([is]);
    });
  }

  test("with the components that it came through, and the keys of the state", async ({
    page,
    sink,
    complaints,
  }) => {
    complaints.expected.push(/The effect broke/);
    await open(page, "/e2e/break");
    await page.getByRole("button", { name: "Break in an effect" }).click();
    const { exception, contexts } = await sink.wait(BROWSER, "event");
    expect(exception.values.map(({ type }: Payload) => type)).toEqual([
      "React ErrorBoundary Error",
      "Error",
    ]);
    const components = exception.values[0].stacktrace.frames;
    expect(components.map((frame: Payload) => frame.function)).toContain("section");
    expect(contexts.state_shapes.cart).toEqual({
      items: [{ sku: "string", price: "number" }],
      coupon: "string",
    });
  });

  test("from a loader", async ({ page, sink, complaints }) => {
    complaints.expected.push(/The loader broke/);
    await open(page, "/e2e/break");
    await page.getByRole("link", { name: "Own loader" }).click();
    await expect(page.getByRole("heading", { name: "Something went wrong" })).toBeFocused();
    const event = await sink.wait(BROWSER, "event");
    await expect(page.getByRole("main")).toContainText(event.event_id);
    expect(await eventsOf(sink)).toHaveLength(1);
  });

  test("by the API alone, and feedback belongs to the API's event", async ({
    page,
    sink,
    complaints,
  }) => {
    complaints.expected.push(/status of 500/);
    await open(page, "/e2e/break");
    await page.getByRole("link", { name: "API loader" }).click();
    const inApi = await sink.wait(API, "event");
    await expect(page.getByRole("main")).toContainText(inApi.event_id);
    await expect(page.getByRole("main")).toContainText(inApi.contexts.trace.trace_id);
    await page.getByRole("button", { name: "Tell us what happened" }).click();
    await page.getByLabel("What happened?").fill("I opened the page.");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    const { contexts } = await sink.wait(BROWSER, "feedback");
    expect(contexts.feedback.associated_event_id).toBe(inApi.event_id);
    expect(await eventsOf(sink)).toEqual([]);
  });

  test("also when nobody catches what the API has reported", async ({ page, sink, complaints }) => {
    complaints.expected.push(/status of 500/, /./);
    await open(page, "/e2e/break");
    const rejected = page.waitForEvent("pageerror");
    await page.getByRole("button", { name: "Leave an API error alone" }).click();
    await rejected;
    await sink.wait(API, "event");
    // What comes after it has arrived, so it would have arrived, too.
    await page.getByRole("button", { name: "Break in a promise" }).click();
    await sink.wait(BROWSER, "event");
    expect(await eventsOf(sink)).toHaveLength(1);
  });
});

test.describe("after a deployment", () => {
  test.beforeEach(async ({ page, complaints }) => {
    complaints.expected.push(/dynamically imported module/, /status of 404/);
    await page.route("**/assets/late-*.js", (route) => route.fulfill({ status: 404 }));
    await open(page, "/e2e/orders/1");
    await page.getByRole("link", { name: "Late page" }).click();
    await expect(page.getByRole("heading", { name: "There is a new version" })).toBeFocused();
  });

  test("a missing part is reported once per visit, and a reload is offered", async ({
    page,
    sink,
  }) => {
    await page.goBack();
    await page.getByRole("link", { name: "Late page" }).click();
    await expect(page.getByRole("heading", { name: "There is a new version" })).toBeVisible();
    await sink.wait(BROWSER, "event");
    expect(await eventsOf(sink)).toHaveLength(1);

    await page.unroute("**/assets/late-*.js");
    await page.getByRole("button", { name: "Reload the page" }).click();
    await expect(page.getByRole("heading", { name: "The late page" })).toBeVisible();
  });

  test("a part that stays missing does not reload the page by itself", async ({ page }) => {
    let loads = 0;
    page.on("load", () => {
      loads += 1;
    });
    await page.getByRole("button", { name: "Reload the page" }).click();
    await expect(page.getByRole("heading", { name: "There is a new version" })).toBeFocused();
    await page.waitForLoadState("networkidle");
    expect(loads).toBe(1);
  });
});

test.describe("the feedback form", () => {
  test("is not fetched before it is opened, and asked for again if it does not come", async ({
    page,
    sink,
    complaints,
  }) => {
    complaints.expected.push(/ERR_FAILED|dynamically imported module/);
    let asked = 0;
    await page.route("**/assets/FeedbackForm-*.js", (route) => {
      asked += 1;
      return asked === 1 ? route.abort() : route.continue();
    });
    await page.goto("/");
    await expect(page.getByRole("article").first()).toContainText("On");
    expect(asked).toBe(0);
    await page.getByRole("button", { name: "Send feedback" }).click();
    await expect(page.getByText("The form could not be loaded.")).toBeFocused();
    await page.getByRole("button", { name: "Try once more" }).click();
    await expect(page.getByLabel("What happened?")).toBeFocused();
    await page.keyboard.type("The form was late.");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    const { contexts } = await sink.wait(BROWSER, "feedback");
    expect(contexts.feedback.message).toBe("The form was late.");
  });
});

test.describe("ids", () => {
  /** Serves pages whose events go to this DSN, which the tunnel does not know. */
  async function useDsn(page: Page, dsn: string): Promise<void> {
    await page.route("**/api/v1/tunnel", (route) => route.fulfill());
    await page.route("**/e2e/break", async (route) => {
      const answer = await route.fetch();
      const html = await answer.text();
      const meta = /(<meta name="VITE_SENTRY_DSN" content=")[^"]*/;
      await route.fulfill({ response: answer, body: html.replace(meta, `$1${dsn}`) });
    });
  }

  test("lead to the event and its trace where the project's Sentry is", async ({
    page,
    complaints,
  }) => {
    complaints.expected.push(/The effect broke/);
    const { url, organization, projects } = project.sentry;
    await useDsn(page, `https://key@o1.ingest.${new URL(url).host}/2`);
    await open(page, "/e2e/break");
    await page.getByRole("button", { name: "Break in an effect" }).click();
    const ids = page.getByRole("definition").getByRole("link");
    await expect(ids).toHaveCount(2);
    const eventId = await ids.first().locator("code").textContent();
    const event = `projects/${projects.frontend}/events/${eventId}`;
    const base = `${url}/organizations/${organization}`;
    await expect(ids.first()).toHaveAttribute("href", `${base}/${event}/`);
    await expect(ids.last()).toHaveAttribute("href", /\/explore\/traces\/trace\/\w{32}\/$/);
  });

  test("are plain where events go elsewhere", async ({ page, complaints }) => {
    complaints.expected.push(/The effect broke/);
    await open(page, "/e2e/break");
    await page.getByRole("button", { name: "Break in an effect" }).click();
    await expect(page.getByRole("definition")).toHaveCount(2);
    await expect(page.getByRole("definition").getByRole("link")).toHaveCount(0);
  });
});

test.describe("noise", () => {
  /** Throws in a script of this address. */
  async function throwAt(page: Page, address: string, text: string): Promise<void> {
    const thrown = page.waitForEvent("pageerror");
    const devtools = await page.context().newCDPSession(page);
    const expression = `setTimeout(() => { throw new Error("${text}") }) //# sourceURL=${address}`;
    await devtools.send("Runtime.evaluate", { expression });
    await thrown;
  }

  test("of extensions and other sites is left out, errors of the page are not", async ({
    page,
    sink,
    complaints,
  }) => {
    complaints.expected.push(/^(noise|The order broke)$/);
    await open(page, "/e2e/orders/1");
    await throwAt(page, "chrome-extension://abcdefghijklmnop/content.js", "noise");
    await throwAt(page, "https://widgets.example/widget.js", "noise");
    await page.getByRole("button", { name: "Break the order" }).click();
    await sink.wait(BROWSER, "event");
    const values = (await eventsOf(sink)).map(({ exception }) => exception.values[0].value);
    expect(values).toEqual(["The order broke"]);
  });

  test.describe("of crawlers", () => {
    test.use({ userAgent: "Mozilla/5.0 (compatible; Googlebot/2.1; +http://google.com/bot.html)" });

    test("is left out, and feedback is not", async ({ page, sink, complaints }) => {
      complaints.expected.push(/broke on purpose/);
      await page.goto("/");
      await page.getByRole("button", { name: "Break the browser" }).click();
      await page.getByRole("button", { name: "Send feedback" }).click();
      await page.getByLabel("What happened?").fill("I am a person.");
      await page.getByRole("button", { name: "Send", exact: true }).click();
      await sink.wait(BROWSER, "feedback");
      expect(await eventsOf(sink)).toEqual([]);
    });
  });
});

test("a storm leaves the page responsive, sends a few and counts the rest", async ({
  page,
  sink,
}) => {
  await open(page, "/e2e/break");
  await page.getByRole("button", { name: "Start a storm" }).click();
  await page.getByRole("link", { name: "Own loader" }).focus();
  const sent = async () => (await sink.items(BROWSER, "event")).length;
  await expect.poll(sent).toBe(50);
  // What was dropped is told when the page is left.
  await page.goto("about:blank");
  const dropped = async () =>
    (await sink.received())
      .flatMap(({ items }) => items.filter(({ header }) => header.type === "client_report"))
      .flatMap(({ text }) => JSON.parse(text).discarded_events)
      .filter(({ category, reason }) => category === "error" && reason === "before_send")
      .map(({ quantity }) => quantity);
  await expect.poll(dropped).toContain(9950);
  expect(await sent()).toBe(50);
});

test.describe("of a page load before the SDK nothing is lost:", () => {
  test("paint, shifts and a slow reaction to the person", async ({ page, sink }) => {
    const release = await holdSdk(page);
    await page.goto("/e2e/break");
    const timeOrigin = await page.evaluate(() => performance.timeOrigin);
    // The browser tells of them in its own time.
    await page.evaluate(async () => {
      const seen = (type: string) =>
        new Promise((resolve) =>
          new PerformanceObserver(resolve).observe({ type, buffered: true }),
        );
      await Promise.all(["paint", "largest-contentful-paint", "layout-shift"].map(seen));
      addEventListener("click", () => {
        const end = performance.now() + 200;
        while (performance.now() < end);
      });
    });
    await page.getByRole("heading", { name: "Ways to break" }).click();
    release();

    const visit = await sink.wait(BROWSER, "transaction");
    expect(Object.keys(visit.measurements)).toEqual(
      expect.arrayContaining(["fp", "fcp", "lcp", "cls", "ttfb", "ttfb.requestTime"]),
    );
    expect(visit.start_timestamp).toBeCloseTo(timeOrigin / 1000, 3);
    const spans = visit.spans.map((span: Payload) => `${span.op} ${span.description}`);
    for (const span of [
      /^browser\.(dns|connect|request|response|dom_content_loaded_event|load_event) /,
      /^browser\.paint first-paint$/,
      /^browser\.paint first-contentful-paint$/,
      /^resource\.script \/assets\/index-/,
      /^resource\.link \/assets\/index-.*css$/,
    ]) {
      expect(spans).toContainEqual(expect.stringMatching(span));
    }
    await page.goto("about:blank");
    const reactions = async () =>
      (await sink.received())
        .flatMap(({ items }) => items.filter(({ header }) => header.type === "span"))
        .flatMap(({ text }) => JSON.parse(text).items)
        .filter(({ trace_id: id }) => id === visit.contexts.trace.trace_id)
        .map(({ attributes }) => attributes["browser.web_vital.inp.value"]?.value);
    await expect.poll(async () => Math.max(...(await reactions()))).toBeGreaterThanOrEqual(200);
  });

  test("requests to the API, which are part of it", async ({ page, sink }) => {
    const release = await holdSdk(page);
    const answered = page.waitForResponse("**/sentry-debug");
    await page.goto("/");
    await answered;
    release();
    const visit = await sink.wait(BROWSER, "transaction");
    const requests = visit.spans.filter(({ op }: Payload) => op === "http.client");
    expect(requests.map(({ description }: Payload) => description)).toEqual([
      "GET /api/v1/sentry-debug",
    ]);
    const inApi = await sink.wait(API, "transaction");
    expect(inApi.contexts.trace.parent_span_id).toBe(visit.contexts.trace.span_id);
  });
});
