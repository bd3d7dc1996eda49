import type { ErrorEvent } from "@sentry/react";
import { describe, expect, it, vi } from "vitest";
import { ApiError } from "../api/client";
import { isMissingChunk } from "../chunks";
import { dropReason, filters } from "./filters";
import { beforeBreadcrumb, Limiter, makeBeforeSend } from "./hooks";
import { provideRoutes } from "./routes";
import { describeState, shapeOf } from "./state";

const event = (value: string, filename = `${location.origin}/assets/index.js`): ErrorEvent => ({
  type: undefined,
  exception: { values: [{ type: "Error", value, stacktrace: { frames: [{ filename }] } }] },
});

const failed = (eventId: string | null) => new ApiError({ status: 500, title: "Broken", eventId });

const answered = (status: number) => new ApiError({ status, title: "No" });

/** An event of a script of another site, whose frames carry the application's key or not. */
const foreign = (module_metadata?: Record<string, unknown>): ErrorEvent => ({
  type: undefined,
  exception: {
    values: [
      {
        type: "Error",
        value: "x",
        stacktrace: {
          frames: [
            { filename: "https://cdn.example/one.js", module_metadata },
            { filename: "<anonymous>" },
          ],
        },
      },
    ],
  },
});

const notFetched = new TypeError("Failed to fetch");
const missingChunk = new TypeError("Importing a module script failed.");

type Example = [ErrorEvent, unknown];

/** Examples for each filter, and the neighbours that must be sent. */
const examples: Record<string, { dropped: Example[]; sent: Example[]; before?: () => void }> = {
  "reported by the API": {
    dropped: [[event("Broken"), failed("f".repeat(32))]],
    sent: [[event("Broken"), failed(null)]],
  },
  "refused by the API": {
    dropped: [400, 401, 403, 404, 409, 422, 429].map((status) => [event("No"), answered(status)]),
    sent: [[event("No"), answered(500)]],
  },
  "API out of reach": {
    dropped: [0, 502, 503, 504].map((status) => [event("No"), answered(status)]),
    sent: [[event("No"), answered(501)]],
  },
  "cancelled request": {
    dropped: [[event("aborted"), new DOMException("aborted", "AbortError")]],
    sent: [[event("aborted"), new DOMException("aborted", "TimeoutError")]],
  },
  "request of a page that is left": {
    before: () => dispatchEvent(new Event("beforeunload")),
    dropped: [
      "Failed to fetch",
      "NetworkError when attempting to fetch resource.",
      "Load failed",
      "cancelled",
    ].map((text) => [event(text), new TypeError(text)]),
    sent: [
      [event("x is not a function"), new TypeError("x is not a function")],
      [event("Failed to fetch"), new Error("Failed to fetch")],
    ],
  },
  crawler: {
    before: () => agent("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    dropped: [[event("x"), new Error("x")]],
    sent: [],
  },
  "browser extension": {
    dropped: [
      ...[
        "chrome-extension://abcdef/content.js",
        "moz-extension://abcdef/content.js",
        "safari-extension://abcdef/content.js",
        "safari-web-extension://abcdef/content.js",
        "ms-browser-extension://abcdef/content.js",
        "webkit-masked-url://hidden/",
      ].map((file): Example => [event("x", file), new Error("x")]),
      [event("Extension context invalidated."), new Error("Extension context invalidated.")],
    ],
    sent: [[event("x", `${location.origin}/chrome-extension.js`), new Error("x")]],
  },
  "in-app browser": {
    dropped: [
      "Can't find variable: _AutofillCallbackHandler",
      "Java object is gone",
      'can\'t redefine non-configurable property "ethereum"',
    ].map((text) => [event(text), new Error(text)]),
    sent: [[event("Can't find variable: order"), new Error("x")]],
  },
  "script without a name": {
    dropped: [[event("Script error."), undefined]],
    sent: [[event("Script error in line 5"), undefined]],
  },
  "third-party script": {
    dropped: [[foreign(), new Error("x")]],
    sent: [
      [foreign({ "_sentryBundlerPluginAppKey:app": true }), new Error("x")],
      [event("x", `${location.origin}/plain.js`), new Error("x")],
      [event("x", "<anonymous>"), new Error("x")],
    ],
  },
  "resize observer": {
    dropped: [[event("ResizeObserver loop limit exceeded"), new Error("x")]],
    sent: [[event("ResizeObserver is not defined"), new Error("x")]],
  },
  "missing chunk again": {
    before: () => expect(dropReason(event("gone"), missingChunk)).toBeUndefined(),
    dropped: [[event("gone"), missingChunk]],
    sent: [[event("x"), new Error("x")]],
  },
};

const CHROMIUM =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36";

/** Has the browser call itself like this. */
const agent = (name: string) => vi.spyOn(navigator, "userAgent", "get").mockReturnValue(name);

describe("filters", () => {
  it("have an example each", () => {
    expect(filters.map(({ name }) => name)).toEqual(Object.keys(examples));
  });

  it.each(Object.entries(examples))("%s: drops its own and nothing else", (name, example) => {
    example.before?.();
    expect(example.dropped.map((one) => dropReason(...one))).toEqual(
      example.dropped.map(() => name),
    );
    expect(example.sent.map((one) => dropReason(...one))).toEqual(
      example.sent.map(() => undefined),
    );
  });

  it.each([
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 AppleWebKit/537.36 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (compatible; Bytespider)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
  ])("know the crawler %s", (name) => {
    agent(name);
    expect(dropReason(event("x"), new Error("x"))).toBe("crawler");
  });

  it.each([
    CHROMIUM.replace("Chrome", "HeadlessChrome"),
    "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/120.0.0.0 Mobile Safari/537.36",
  ])("take a person or a test for what it is: %s", (name) => {
    agent(name);
    expect(dropReason(event("x"), new Error("x"))).toBeUndefined();
  });

  it("take an error that passes through an extension for what it is", () => {
    const passing = event("x", "chrome-extension://abcdef/wrapper.js");
    passing.exception?.values?.[0]?.stacktrace?.frames?.push({
      filename: `${location.origin}/a.js`,
    });
    expect(dropReason(passing, new Error("x"))).toBeUndefined();
  });
});

describe("a missing chunk", () => {
  it.each([
    "Failed to fetch dynamically imported module: https://app.example/assets/late-1.js",
    "error loading dynamically imported module: https://app.example/assets/late-1.js",
    "Importing a module script failed.",
    "'text/html' is not a valid JavaScript MIME type.",
    "Unable to preload CSS for /assets/late-1.css",
  ])("is known by its text: %s", (text) => {
    expect(isMissingChunk(new TypeError(text))).toBe(true);
  });

  it("is known by what the build says of it", () => {
    const error = new Error("in words that no browser has used yet");
    expect(isMissingChunk(error)).toBe(false);
    dispatchEvent(Object.assign(new Event("vite:preloadError"), { payload: error }));
    expect(isMissingChunk(error)).toBe(true);
  });

  it("is no other error", () => {
    expect(isMissingChunk(notFetched)).toBe(false);
    expect(isMissingChunk("Importing a module script failed.")).toBe(false);
  });
});

describe("the limiter", () => {
  /** How many of so many events of a place pass at one moment. */
  const passing = (limiter: Limiter, count: number, place: string, now: number) =>
    Array.from({ length: count }, () => limiter.allows(place, now)).filter(Boolean).length;

  it("lets ten events of each place pass within a minute", () => {
    const limiter = new Limiter();
    expect(passing(limiter, 25, "a", 0)).toBe(10);
    expect(passing(limiter, 3, "b", 0)).toBe(3);
    expect(passing(limiter, 5, "a", 59)).toBe(0);
    expect(passing(limiter, 25, "a", 60)).toBe(10);
  });

  it("lets fifty events of all places pass within a minute, and three hundred of a visit", () => {
    const limiter = new Limiter();
    const minutes = Array.from({ length: 10 }, (_, minute) => {
      const places = Array.from({ length: 1000 }, (_, place) => `${minute} ${place}`);
      return places.filter((place) => limiter.allows(place, minute * 60)).length;
    });
    expect(minutes).toEqual([50, 50, 50, 50, 50, 50, 0, 0, 0, 0]);
    expect(limiter.isSpent(10_000)).toBe(true);
  });
});

describe("beforeSend", () => {
  const onDropped = vi.fn();
  const beforeSend = makeBeforeSend(new Limiter(), onDropped);

  it("drops what a filter names, and says so", () => {
    const noise = event("x");
    expect(beforeSend(noise, { originalException: failed("f".repeat(32)) })).toBeNull();
    expect(onDropped).toHaveBeenLastCalledWith(noise, "filtered");
  });

  it("drops the excess of a type at a line, whatever its text, and says so", () => {
    const limited = makeBeforeSend(new Limiter(), onDropped);
    const storm = Array.from({ length: 12 }, (_, round) => event(`round ${round}`));
    expect(storm.filter((one) => limited(one, {}))).toEqual(storm.slice(0, 10));
    expect(onDropped).toHaveBeenLastCalledWith(storm[11], "limited");
    expect(limited(event("elsewhere", `${location.origin}/other.js`), {})).not.toBeNull();
  });

  it("sends an error whose name cannot be read", () => {
    const error = Object.defineProperty(new Error("x"), "name", {
      get: () => {
        throw new Error("no name");
      },
    });
    const given = event("odd");
    expect(beforeSend(given, { originalException: error })).toBe(given);
  });

  it("drops what cannot be judged, and says so", () => {
    const error = new Proxy(new Error("x"), {
      getPrototypeOf: () => {
        throw new Error("no prototype");
      },
    });
    const given = event("very odd");
    expect(beforeSend(given, { originalException: error })).toBeNull();
    expect(onDropped).toHaveBeenLastCalledWith(given, "filtered");
  });

  it("names an event by the route of the address at which it happened", () => {
    provideRoutes((path) => (path.startsWith("/orders/") ? "/orders/:orderId" : undefined));
    const at = (url: string) => beforeSend({ ...event("x"), request: { url } }, {})?.transaction;
    expect(at(`${location.origin}/orders/8841?tab=2#note`)).toBe("/orders/:orderId");
    expect(at(`${location.origin}/people/jane`)).toBe("(unknown route)");
  });

  it("describes the state by keys and types", () => {
    describeState("cart", () => ({ items: [{ price: 3 }] }));
    describeState("broken", () => {
      throw new Error("no state");
    });
    expect(beforeSend(event("x"), {})?.contexts).toEqual({
      state_shapes: { cart: { items: [{ price: "number" }] } },
    });
  });
});

describe("the shape of a state", () => {
  it("has types in place of values", () => {
    const state = { name: "Jane", age: 42, on: true, none: null, gone: undefined, run: () => 1 };
    expect(shapeOf({ ...state, when: new Date(), list: ["Jane", "Joe"], empty: [] })).toEqual({
      name: "string",
      age: "number",
      on: "boolean",
      none: "null",
      gone: "undefined",
      run: "function",
      when: "object",
      list: ["string"],
      empty: [],
    });
  });

  it("leaves out keys that are data", () => {
    const people = { "jane@example.com": 1, "Jane Doe": 1, u48151623: 1, "7": 1, name: "x" };
    expect(shapeOf(people)).toEqual({ name: "string", "…": "more" });
  });

  it("ends somewhere", () => {
    const deep = { a: { b: { c: { d: 1 } }, list: [[[1]]] } };
    expect(shapeOf(deep)).toEqual({ a: { b: { c: "object" }, list: ["array"] } });
    const names = (count: number, value: unknown) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));
    expect(Object.keys(shapeOf(names(50, 1)) as object)).toHaveLength(21);
    const wide = JSON.stringify(shapeOf(names(20, names(20, names(20, 1)))));
    expect(wide.match(/"k\d+":/g)).toHaveLength(200);
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(shapeOf(circle)).toEqual({ self: { self: { self: "object" } } });
  });
});

describe("beforeBreadcrumb", () => {
  it("names what was clicked by structure, never by its words or values", () => {
    document.body.innerHTML =
      '<form id="login" title="Jane"><button class="a b" aria-label="Jane" name="jane">Jane</button></form>';
    const target = document.querySelector("button");
    const crumb = { category: "ui.click", message: 'button[aria-label="Jane"]' };
    const kept = beforeBreadcrumb(crumb, { event: { target } });
    expect(kept?.message).toBe("form > button.a.b");
  });

  it("keeps nothing of what it cannot name", () => {
    const crumb = { category: "ui.input", message: 'input[title="Jane"]' };
    expect(beforeBreadcrumb(crumb)?.message).toBe("unknown element");
    expect(beforeBreadcrumb(crumb, { event: { target: window } })?.message).toBe("unknown element");
  });

  it("lists the names of the fields of a form, never their values", () => {
    document.body.innerHTML =
      '<form class="pay"><input name="card" value="4111"><textarea name="note">Jane</textarea><button>Pay</button></form>';
    const target = document.querySelector("form");
    expect(beforeBreadcrumb({ category: "ui.submit" }, { event: { target } })).toEqual({
      category: "ui.submit",
      message: "form.pay",
      data: { fields: ["card", "note"] },
    });
  });

  it("names navigations by their routes", () => {
    provideRoutes((path) => (path.startsWith("/orders/") ? "/orders/:orderId" : undefined));
    const crumb = { category: "navigation", data: { from: "/people/jane", to: "/orders/8841?y" } };
    expect(beforeBreadcrumb(crumb)?.data).toEqual({
      from: "(unknown route)",
      to: "/orders/:orderId",
    });
  });

  it("leaves queries and fragments of requests out", () => {
    const data = { method: "GET", url: "https://maps.example/tile?place=home#x", status_code: 200 };
    const crumb = beforeBreadcrumb(
      { category: "fetch", data },
      { input: ["https://maps.example"] },
    );
    expect(crumb?.data).toEqual({ ...data, url: "https://maps.example/tile" });
  });

  it("leaves other breadcrumbs to the transport", () => {
    const crumb = { category: "shop", message: "opened the cart", data: { items: 3 } };
    expect(beforeBreadcrumb(crumb)).toBe(crumb);
  });
});
