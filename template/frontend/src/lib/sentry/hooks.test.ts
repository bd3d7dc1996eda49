import type { ErrorEvent } from "@sentry/react";
import { describe, expect, it, vi } from "vitest";
import { ApiError } from "../api/client";
import { dropReason, filters } from "./filters";
import { beforeBreadcrumb, Limiter, makeBeforeSend } from "./hooks";

const event = (value: string, filename = "https://app.example/assets/index.js"): ErrorEvent => ({
  type: undefined,
  exception: { values: [{ type: "Error", value, stacktrace: { frames: [{ filename }] } }] },
});

const failed = (eventId: string | null) => new ApiError({ status: 500, title: "Broken", eventId });

/** One example for each filter, and its neighbour that must be sent. */
const examples: Record<string, { dropped: [ErrorEvent, unknown]; sent: [ErrorEvent, unknown] }> = {
  "reported by the API": {
    dropped: [event("Broken"), failed("f".repeat(32))],
    sent: [event("Broken"), failed(null)],
  },
  "cancelled request": {
    dropped: [event("aborted"), new DOMException("aborted", "AbortError")],
    sent: [event("aborted"), new DOMException("aborted", "TimeoutError")],
  },
  "browser extension": {
    dropped: [event("x", "chrome-extension://abcdef/content.js"), new Error("x")],
    sent: [event("x", "https://app.example/chrome-extension.js"), new Error("x")],
  },
  "resize observer": {
    dropped: [event("ResizeObserver loop limit exceeded"), new Error("x")],
    sent: [event("ResizeObserver is not defined"), new Error("x")],
  },
};

describe("filters", () => {
  it("have an example each", () => {
    expect(filters.map(({ name }) => name)).toEqual(Object.keys(examples));
  });

  it.each(Object.entries(examples))("%s: drops its own and nothing else", (name, example) => {
    expect(dropReason(...example.dropped)).toBe(name);
    expect(dropReason(...example.sent)).toBeUndefined();
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

  it("forgets the place seen longest ago, not one in a storm", () => {
    const limiter = new Limiter();
    passing(limiter, 10, "storm", 0);
    passing(limiter, 10, "quiet", 0);
    for (let other = 0; other < 150; other++) {
      limiter.allows(`other ${other}`, 1);
      expect(limiter.allows("storm", 1)).toBe(false);
    }
    expect(limiter.allows("quiet", 1)).toBe(true);
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
    expect(limited(event("elsewhere", "https://app.example/other.js"), {})).not.toBeNull();
  });

  it("dates an event to the moment and the address at which it happened", () => {
    const moment = { timestamp: 12.5, url: "https://app.example/then" };
    const sent = beforeSend({ ...event("x"), timestamp: 99 }, { data: moment });
    expect(sent).toMatchObject({ timestamp: 12.5, request: { url: "https://app.example/then" } });
  });

  it("leaves an event without such a moment alone", () => {
    const given = { ...event("x"), timestamp: 99, request: { url: "https://app.example/now" } };
    expect(beforeSend({ ...given }, { data: { other: true } })).toEqual(given);
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

  it("leaves other breadcrumbs to the transport", () => {
    const crumb = { category: "navigation", data: { to: "/x?y" } };
    expect(beforeBreadcrumb(crumb)).toBe(crumb);
  });
});
