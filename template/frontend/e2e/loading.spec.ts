import type { Page } from "@playwright/test";
import { API, BROWSER, eventsOf, expect, hasRun, holdSdk, sendFeedback, test } from "./fixtures.ts";
import type { Payload } from "./sink.ts";

/** Runs `script` as a file of the page's own origin, ahead of the bundle. */
async function addScript(page: Page, script: () => void): Promise<void> {
  await page.route("**/ahead.js", (route) =>
    route.fulfill({ contentType: "text/javascript", body: `(${script})()` }),
  );
  const isPage = (url: URL) => url.pathname === "/";
  await page.route(isPage, async (route) => {
    const response = await route.fetch();
    const html = await response.text();
    const body = html.replace(
      '<script type="module"',
      '<script src="/ahead.js"></script><script type="module"',
    );
    expect(body).not.toBe(html);
    await route.fulfill({ response, body });
  });
}

/** Opens the page with the SDK held back, and waits for the small chunk that sends what leaves before it. */
async function openWithoutSdk(page: Page, address: string): Promise<() => void> {
  const release = await holdSdk(page);
  const chunk = page.waitForResponse("**/assets/leave-*.js");
  await page.goto(address);
  await hasRun(page, chunk);
  await opened(page);
  return release;
}

/** Throws in a task of its own, as an event handler would, and waits until the browser has said so. */
async function throwError(page: Page, message: string): Promise<void> {
  const thrown = page.waitForEvent("pageerror", (error) => error.message.includes(message));
  await page.evaluate((text) => {
    setTimeout(() => {
      throw new TypeError(text);
    });
  }, message);
  await thrown;
}

/** The page has made a request with its trace, by which the sink knows its envelopes. */
const opened = (page: Page) =>
  expect(page.getByRole("article").filter({ hasText: "Profiles" })).toBeVisible();

const messagesOf = (events: Payload[]) =>
  events.map((event) => event.exception?.values.at(-1).value ?? event.message);

test.describe("errors from before the SDK arrive once, as they happened", () => {
  const cases: {
    name: string;
    script: () => void;
    type: string;
    value: string;
    mechanism?: string;
    /** Line of the innermost frame in the script; absent when there is no stack. */
    line?: number;
  }[] = [
    {
      name: "thrown ahead of the bundle",
      script: () => {
        throw new TypeError("ahead");
      },
      type: "TypeError",
      value: "ahead",
      line: 2,
    },
    {
      name: "rejected ahead of the bundle",
      script: () => {
        Promise.reject(new RangeError("rejected ahead"));
      },
      type: "RangeError",
      value: "rejected ahead",
      mechanism: "onunhandledrejection",
      line: 2,
    },
    {
      name: "thrown at DOMContentLoaded",
      script: () => {
        document.addEventListener("DOMContentLoaded", () => {
          throw new Error("at DOMContentLoaded");
        });
      },
      type: "Error",
      value: "at DOMContentLoaded",
      line: 3,
    },
    {
      name: "thrown 1 ms after load",
      script: () => {
        addEventListener("load", () =>
          setTimeout(() => {
            throw new Error("after load");
          }, 1),
        );
      },
      type: "Error",
      value: "after load",
      line: 3,
    },
    {
      name: "words instead of an error",
      script: () => {
        throw "plain words";
      },
      type: "Error",
      value: "plain words",
      line: 2,
    },
    {
      name: "a rejected plain object",
      script: () => {
        Promise.reject({ code: 7, password: "hunter22" });
      },
      type: "UnhandledRejection",
      value: "Object captured as promise rejection with keys: code, password",
      mechanism: "onunhandledrejection",
    },
    {
      name: "a rejection without reason",
      script: () => {
        Promise.reject();
      },
      type: "UnhandledRejection",
      value: "Non-Error promise rejection captured with value: undefined",
      mechanism: "onunhandledrejection",
    },
    {
      name: "an event without its error",
      script: () => {
        const where = { message: "no error object", filename: `${origin}/other.js`, lineno: 12 };
        dispatchEvent(new ErrorEvent("error", where));
      },
      type: "Error",
      value: "no error object",
      line: 12,
    },
  ];

  for (const { name, script, type, value, mechanism = "onerror", line } of cases) {
    test(name, async ({ page, sink, complaints }) => {
      complaints.expected.push(/./);
      await addScript(page, script);
      const release = await holdSdk(page);
      const before = Date.now() / 1000;
      await page.goto("/?before#sdk");
      await opened(page);
      await page.evaluate(() => history.pushState(null, "", "/elsewhere"));
      const after = Date.now() / 1000;
      await page.evaluate(() => history.back());
      release();
      await sendFeedback(page, sink);

      const [event, ...others] = await eventsOf(sink);
      expect(others).toEqual([]);
      const [exception] = event.exception.values;
      expect([exception.type, exception.value ?? event.message]).toEqual([type, value]);
      expect(exception.mechanism).toMatchObject({
        handled: false,
        type: `auto.browser.global_handlers.${mechanism}`,
      });
      expect(event.timestamp).toBeGreaterThanOrEqual(before - 0.01);
      expect(event.timestamp).toBeLessThanOrEqual(after);
      expect(new URL(event.request.url).pathname).toBe("/");
      const frame = exception.stacktrace?.frames.at(-1);
      expect(frame?.lineno).toBe(line);
      if (line) {
        expect(frame.filename).toMatch(/\/(ahead|other)\.js$/);
      }
      expect(JSON.stringify(event)).not.toContain("hunter22");
    });
  }
});

test("all of them in one visit arrive once each, in their order, without waiting for each other", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/./);
  await addScript(page, () => {
    addEventListener("load", () =>
      setTimeout(() => {
        throw new Error("fourth");
      }, 1),
    );
    document.addEventListener("DOMContentLoaded", () => {
      throw new Error("third");
    });
    Promise.reject(new Error("second"));
    throw new Error("first");
  });
  await page.goto("/");
  await opened(page);
  await sendFeedback(page, sink);
  const events = await eventsOf(sink);
  expect(messagesOf(events).sort()).toEqual(["first", "fourth", "second", "third"]);
});

test("what the application says before the SDK is there is told in its order", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/captured early/);
  const release = await holdSdk(page);
  await page.goto("/e2e/early");
  const ids = JSON.parse((await page.getByRole("status").textContent()) ?? "");
  await page.getByRole("banner").getByRole("link").first().click();
  await opened(page);
  release();
  await sendFeedback(page, sink);
  const events = await eventsOf(sink);
  expect(events.map((event) => event.event_id).sort()).toEqual([ids.exception, ids.message].sort());
  const caught = events.find((event) => event.event_id === ids.exception);
  const said = events.find((event) => event.event_id === ids.message);
  expect(caught).toMatchObject({
    user: { id: "user-7" },
    tags: { plan: "free", area: "cart" },
    contexts: { cart: { items: 3 } },
    exception: { values: [{ type: "RangeError", value: "captured early" }] },
  });
  expect(caught.breadcrumbs).toContainEqual(
    expect.objectContaining({ message: "opened the cart", category: "shop" }),
  );
  expect(said).toMatchObject({ message: "said early", level: "warning", tags: { plan: "paid" } });
  expect(said.timestamp).toBeGreaterThanOrEqual(caught.timestamp);
  await page.goto("about:blank");
  const transaction = await sink.wait(BROWSER, "transaction");
  const span = transaction.spans.find((one: Payload) => one.description === "early work");
  expect(span.op).toBe("task");
  expect(span.timestamp - span.start_timestamp).toBeGreaterThan(0.04);
  expect(span.parent_span_id).toBe(transaction.contexts.trace.span_id);
});

test("a storm before the SDK leaves its beginning", async ({ page, sink, complaints }) => {
  complaints.expected.push(/storm/);
  const release = await holdSdk(page);
  await page.goto("/");
  await opened(page);
  await page.evaluate(async () => {
    for (let round = 0; round < 1000; round++) {
      setTimeout(() => {
        throw new Error(`storm ${round}`);
      });
    }
    await new Promise((resolve) => setTimeout(resolve));
  });
  release();
  const first = Array.from({ length: 10 }, (_, round) => `storm ${round}`);
  await expect.poll(async () => messagesOf(await eventsOf(sink)).sort()).toEqual(first);
  await sendFeedback(page, sink);
  expect(messagesOf(await eventsOf(sink)).sort()).toEqual(first);
});

test("the first request of the page is a child of the page load", async ({ page, sink }) => {
  const release = await holdSdk(page);
  const request = page.waitForRequest("**/api/v1/sentry-debug");
  await page.goto("/");
  const [traceId, spanId] = ((await request).headers()["sentry-trace"] ?? "").split("-");
  await opened(page);
  release();
  await sendFeedback(page, sink);
  await page.goto("about:blank");
  const load = await sink.wait(BROWSER, "transaction", ({ contexts }) =>
    contexts.trace.op.startsWith("pageload"),
  );
  expect(load.contexts.trace).toMatchObject({ trace_id: traceId, span_id: spanId });
  const inApi = await sink.wait(API, "transaction");
  expect(inApi.contexts.trace).toMatchObject({ trace_id: traceId, parent_span_id: spanId });
});

test.describe("an error just before the page goes away is delivered", () => {
  test("by the SDK", async ({ page, sink, complaints }) => {
    complaints.expected.push(/last words/);
    await page.goto("/");
    await expect(page.getByRole("article").first()).toContainText("On");
    await page.evaluate(() => {
      setTimeout(() => {
        location.href = "about:blank";
        throw new TypeError("last words");
      });
    });
    const event = await sink.wait(BROWSER, "event");
    expect(event.exception.values[0]).toMatchObject({ type: "TypeError", value: "last words" });
  });

  test("without the SDK, and without its text", async ({ page, sink, complaints }) => {
    complaints.expected.push(/hunter22/);
    await addScript(page, () => {
      setTimeout(() => {
        class OrderError extends RangeError {
          override name = "OrderError";
        }
        Promise.reject(new OrderError("at https://app.example/hunter22.js:1:2"));
      }, 500);
    });
    const before = Date.now() / 1000;
    const rejection = page.waitForEvent("pageerror");
    await openWithoutSdk(page, "/?token=hunter22#hunter22");
    await rejection;
    await throwError(page, "password=hunter22");
    await page.goto("about:blank");

    const find = (type: string) =>
      sink.wait(BROWSER, "event", (event) => event.exception.values[0].type === type);
    const [rejected, thrown] = [await find("OrderError"), await find("TypeError")];
    for (const event of [rejected, thrown]) {
      expect(event).toMatchObject({
        platform: "javascript",
        environment: "staging",
        release: expect.stringContaining("@10.20.30+"),
        event_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      });
      expect(event.timestamp).toBeGreaterThanOrEqual(before);
      expect(event.exception.values[0].value).toBe("[Filtered:unload]");
      expect(event.exception.values[0].mechanism.handled).toBe(false);
    }
    const { frames } = rejected.exception.values[0].stacktrace;
    expect(frames.at(-1)).toEqual({
      filename: expect.stringMatching(/^http:.*\/ahead\.js$/),
      lineno: expect.any(Number),
      colno: expect.any(Number),
    });
    const raw = JSON.stringify(await eventsOf(sink));
    expect(raw).not.toMatch(/hunter22|example/);
    expect(await eventsOf(sink)).toHaveLength(2);
  });

  test("once, also when the page comes back", async ({ page, sink, complaints }) => {
    complaints.expected.push(/one|two/);
    const release = await openWithoutSdk(page, "/");
    await throwError(page, "one");
    // As the browser says it when it keeps the page for the way back.
    await page.evaluate(() => {
      dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
      dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    });
    await throwError(page, "two");
    release();
    await sendFeedback(page, sink);
    expect(messagesOf(await eventsOf(sink)).sort()).toEqual(["[Filtered:unload]", "two"]);
  });
});

test.describe("an error in the task that leaves the page is delivered without the SDK", () => {
  for (const sentry of ["on", "direct"] as const) {
    test.describe(sentry, () => {
      test.use({ sentry });

      test("as soon as the page has loaded", async ({ page, sink, complaints }) => {
        complaints.expected.push(/last words/);
        await openWithoutSdk(page, "/");
        await page.evaluate(() => {
          setTimeout(() => {
            location.href = "about:blank";
            throw new TypeError("last words");
          });
        });
        const event = await sink.wait(BROWSER, "event");
        expect(event.exception.values[0]).toMatchObject({
          type: "TypeError",
          value: "[Filtered:unload]",
        });
      });
    });
  }
});

test("a page without the chunk that sends what leaves goes on", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/still sent/, /ERR_FAILED/);
  await page.route("**/assets/leave-*.js", (route) => route.abort());
  const release = await holdSdk(page);
  await page.goto("/");
  await opened(page);
  await throwError(page, "still sent");
  release();
  await sendFeedback(page, sink);
  expect(messagesOf(await eventsOf(sink))).toEqual(["still sent"]);
});

test("a picture that never comes keeps no error from being sent", async ({ page, sink }) => {
  await page.route("**/never.png", () => undefined);
  await addScript(page, () => {
    document.head.append(Object.assign(new Image(), { src: "/never.png" }));
  });
  const chunk = page.waitForRequest("**/assets/sdk-*.js");
  await page.goto("/", { waitUntil: "commit" });
  await opened(page);
  await chunk;
  expect(await page.evaluate(() => document.readyState)).toBe("interactive");
  await sendFeedback(page, sink);
});

test("one attempt at a time gets the SDK, with pauses that end", async ({ page, complaints }) => {
  complaints.expected.push(/ERR_FAILED/);
  let asked = 0;
  await page.route("**/assets/sdk-*.js", (route) => {
    asked += 1;
    return route.abort();
  });
  await page.clock.install();
  await page.goto("/");
  await opened(page);
  const askedAfter = (milliseconds: number) => async () => {
    await page.clock.fastForward(milliseconds);
    return asked;
  };
  const FIVE_MINUTES = 300_000;
  await expect.poll(askedAfter(FIVE_MINUTES), { intervals: [50] }).toBeGreaterThan(0);
  await page.evaluate(() => {
    for (let round = 0; round < 50; round++) {
      dispatchEvent(new Event("online"));
    }
  });
  await expect.poll(askedAfter(FIVE_MINUTES), { intervals: [50] }).toBeGreaterThan(12);
  // The last one may still be on its way.
  const most = asked + 1;
  for (let round = 0; round < 10; round++) {
    expect(await askedAfter(100)()).toBeLessThanOrEqual(most);
  }
});

test("a browser without performance entries sends what was recorded, and all that follows", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/early one|late one|no entries/);
  await addScript(page, () => {
    performance.getEntriesByType = () => {
      throw new Error("no entries");
    };
    setTimeout(() => {
      throw new Error("early one");
    });
  });
  await page.goto("/");
  await expect(page.getByRole("article").first()).toContainText("On");
  await throwError(page, "late one");
  const find = (text: string) =>
    sink.wait(BROWSER, "event", (event) => event.exception?.values[0].value === text);
  await find("early one");
  await find("late one");
});

test("what happens offline arrives when the browser is back online", async ({
  page,
  sink,
  context,
  complaints,
}) => {
  complaints.expected.push(/while offline/, /ERR_INTERNET_DISCONNECTED/);
  await page.goto("/");
  await expect(page.getByRole("article").first()).toContainText("On");
  await context.setOffline(true);
  const before = Date.now() / 1000;
  await throwError(page, "while offline, password=hunter22");
  await expect(page.getByRole("log")).toContainText("stored in this browser");
  const after = Date.now() / 1000;
  const stored = () =>
    page.evaluate(async () => {
      const answer = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await answer(indexedDB.open("sentry-offline"));
      const store = database.transaction("queue").objectStore("queue");
      const values: (string | BufferSource)[] = await answer(store.getAll());
      return values
        .map((value) => (typeof value === "string" ? value : new TextDecoder().decode(value)))
        .join();
    });
  // The page says so when the store begins to write.
  await expect.poll(stored).toContain("while offline, password=[Filtered]");
  expect(await stored()).not.toContain("hunter22");
  await context.setOffline(false);
  const event = await sink.wait(BROWSER, "event");
  expect(event.timestamp).toBeGreaterThanOrEqual(before);
  expect(event.timestamp).toBeLessThanOrEqual(after);
  await sendFeedback(page, sink);
  expect(await eventsOf(sink)).toHaveLength(1);
});

test("a page that goes offline before the SDK came fetches it when it is back online", async ({
  page,
  sink,
  context,
  complaints,
}) => {
  complaints.expected.push(/while offline/, /ERR_INTERNET_DISCONNECTED|Failed to fetch/);
  await page.route("**/assets/sdk-*.js", (route) => route.abort());
  complaints.expected.push(/ERR_FAILED/);
  await page.goto("/");
  await opened(page);
  await context.setOffline(true);
  await throwError(page, "while offline");
  await expect(page.getByRole("article").first()).toContainText("could not be loaded");
  await page.unroute("**/assets/sdk-*.js");
  await context.setOffline(false);
  const event = await sink.wait(BROWSER, "event");
  expect(event.exception.values[0].value).toBe("while offline");
});

test("an ingest that cannot be reached costs the page nothing", async ({
  page,
  sink,
  complaints,
}) => {
  complaints.expected.push(/broke on purpose/, /ERR_FAILED/);
  const blocked = /\/(tunnel|envelope)/;
  await page.route(blocked, (route) => route.abort());
  await page.goto("/");
  await page.getByRole("button", { name: "Break the browser" }).click();
  await expect(page.getByRole("log")).toContainText("stored in this browser");
  await page.getByRole("button", { name: "Make a slow request" }).click();
  await expect(page.getByRole("log")).toContainText("After 2 seconds");
  await page.unroute(blocked);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await sink.wait(BROWSER, "event");
});

test("many long errors in any language leave as they come", async ({ page, sink, complaints }) => {
  complaints.expected.push(/größer/);
  await page.goto("/");
  await opened(page);
  await page.evaluate(() => {
    for (let round = 0; round < 10; round++) {
      setTimeout(() => {
        throw new Error(`größer ${round} ${"ü ".repeat(6_000)}`);
      });
    }
  });
  const log = page.getByRole("log");
  await expect(log.getByRole("listitem")).toHaveCount(10);
  await sendFeedback(page, sink);
  // The browser has refused none of them.
  await expect(log).not.toContainText("stored in this browser");
  expect(await eventsOf(sink)).toHaveLength(10);
});

test("a burst that finds no way arrives in full when there is one", async ({
  page,
  sink,
  complaints,
}) => {
  test.slow();
  complaints.expected.push(/ERR_FAILED/);
  const blocked = /\/tunnel$/;
  // Ids, because what was stored is soon sent, and refused, once more.
  const refused = new Set<string>();
  await page.route(blocked, (route) => {
    const body = route.request().postData() ?? "";
    if (body.includes('"type":"event"')) {
      refused.add(JSON.parse(body.split("\n", 1)[0] ?? "").event_id);
    }
    return route.abort();
  });
  await page.goto("/e2e/break");
  await page.getByRole("button", { name: "Start a storm" }).click();
  await expect.poll(() => refused.size).toBe(50);
  await page.unroute(blocked);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  // One after the other.
  await expect.poll(async () => (await eventsOf(sink)).length, { timeout: 120_000 }).toBe(50);
});
