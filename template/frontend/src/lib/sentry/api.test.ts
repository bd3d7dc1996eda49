import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { setVariables } from "../../test-setup";

interface Sent {
  header: { type: string };
  // biome-ignore lint/suspicious/noExplicitAny: Sentry's payloads, of which each test looks at a few fields.
  payload: any;
}

/** What left, in order. The SDK is the real one; only the network is not there. */
let sent: Sent[];

beforeEach(() => {
  vi.resetModules();
  // Where the SDK keeps its scopes, outside of its modules.
  Reflect.deleteProperty(globalThis, "__SENTRY__");
  sent = [];
  const network = async (_: string, { body }: { body: string }) => {
    const [, header = "", payload = ""] = body.split("\n");
    sent.push({ header: JSON.parse(header), payload: JSON.parse(payload) });
    return new Response("");
  };
  // The SDK looks for a native function behind any other.
  network.toString = () => "function fetch() { [native code] }";
  vi.stubGlobal("fetch", network);
  // The SDK comes when a test needs it, not in the middle of the next one.
  vi.stubGlobal("requestIdleCallback", () => 0);
});

afterEach(async () => {
  window.onerror = null;
  window.onunhandledrejection = null;
  if ("__SENTRY__" in globalThis) {
    // The span of the page load, which would end in the midst of the next test and give that one its trace.
    const { getActiveSpan } = await import("@sentry/core");
    getActiveSpan()?.end();
  }
});

async function importSentry(dsn = "https://key@sentry.example.com/2") {
  setVariables({ VITE_SENTRY_DSN: dsn, VITE_SENTRY_ENVIRONMENT: "production" });
  return import("./index");
}

/** Importing the SDK takes seconds on a busy machine. */
const waitFor = (check: () => void) => vi.waitFor(check, { timeout: 20_000 });

const events = () => sent.filter(({ header }) => header.type === "event");

const eventsOf = async (count: number) => {
  await waitFor(() => expect(events()).toHaveLength(count));
  return events().map(({ payload }) => payload);
};

describe("with a DSN", () => {
  it("verbs from before the SDK apply, in their order", async () => {
    const sentry = await importSentry();
    sentry.setUser("user-7");
    sentry.setTag("plan", "free");
    sentry.setContext("cart", { items: 3 });
    sentry.addBreadcrumb("opened the cart", "shop", { items: 3 });
    const eventId = sentry.captureException(new TypeError("first"), { tags: { area: "cart" } });
    sentry.setTag("plan", "paid");
    sentry.captureMessage("second", "warning");

    const [first, second] = await eventsOf(2);
    expect(first).toMatchObject({
      event_id: eventId,
      user: { id: "user-7" },
      tags: { plan: "free", area: "cart" },
      contexts: { cart: { items: 3 }, trace: { trace_id: sentry.currentTraceId() } },
      exception: { values: [{ type: "TypeError", value: "first" }] },
    });
    expect(first.breadcrumbs.map((crumb: { message: string }) => crumb.message)).toContain(
      "opened the cart",
    );
    expect(second).toMatchObject({ message: "second", level: "warning", tags: { plan: "paid" } });
  });

  it("an error that is captured twice is sent once, under one id", async () => {
    const sentry = await importSentry();
    const error = new Error("twice");
    const ids = [sentry.captureException(error), sentry.captureException(error)];
    sentry.captureMessage("last");
    const [only] = await eventsOf(2);
    expect(ids).toEqual([only.event_id, only.event_id]);
  });

  it("a feedback names the event it is about", async () => {
    const sentry = await importSentry();
    const about = "f".repeat(32);
    const eventId = sentry.captureFeedback({ message: "It broke", eventId: about });
    await waitFor(() => expect(sent.map(({ header }) => header.type)).toContain("feedback"));
    const { payload } = sent.find(({ header }) => header.type === "feedback") ?? {};
    expect(payload.event_id).toBe(eventId);
    expect(payload.contexts.feedback).toMatchObject({
      message: "It broke",
      associated_event_id: about,
    });
  });

  it("tells listeners what the server accepted", async () => {
    const sentry = await importSentry();
    const listener = vi.fn();
    sentry.onSent(listener);
    const eventId = sentry.captureException(new Error("heard"));
    await waitFor(() => expect(listener).toHaveBeenCalled());
    expect(listener.mock.calls).toEqual([
      [{ kind: "error", eventId, traceId: sentry.currentTraceId(), outcome: "accepted" }],
    ]);
  });

  it("a listener that throws costs the others nothing, and is no event", async () => {
    const sentry = await importSentry();
    const heard = vi.fn();
    vi.mocked(console.error).mockReturnValue();
    sentry.onChange(() => {
      throw new Error("the listener broke");
    });
    sentry.onSent(heard);
    sentry.captureException(new Error("heard"));
    await waitFor(() => expect(heard).toHaveBeenCalledOnce());
    sentry.captureMessage("last");
    expect((await eventsOf(2)).map(({ message }) => message)).toEqual([undefined, "last"]);
    expect(console.error).toHaveBeenCalledWith(new Error("the listener broke"));
    vi.mocked(console.error).mockClear();
  });

  it.each([
    ["https://key:old@host/path/2", "key"],
    ["https://key@host:90000/2", "key"],
    ["http://key@[::1/2", "key"],
    ["nonsense", "undefined"],
  ])("trace headers cost no request of the application, with the DSN %s", async (dsn, key) => {
    const { traceHeaders } = await importSentry(dsn);
    expect(traceHeaders().baggage).toContain(`,sentry-public_key=${key},`);
  });

  it("equal errors are all sent up to a limit, and listeners are told of the excess", async () => {
    const sentry = await importSentry();
    const outcomes: string[] = [];
    const ids: (string | null)[] = [];
    sentry.onSent(({ outcome }) => outcomes.push(outcome));
    for (let round = 0; round < 12; round++) {
      ids.push(sentry.captureException(new Error(`round ${round}`)));
    }
    await waitFor(() => expect(outcomes).toHaveLength(12));
    expect(outcomes.filter((outcome) => outcome === "limited")).toHaveLength(2);
    expect(events().map(({ payload }) => payload.event_id)).toEqual(ids.slice(0, 10));
    expect(ids.map((id) => id && sentry.whyEventNotSent(id)).filter(Boolean)).toEqual([
      sentry.whyNotSent("limited"),
      sentry.whyNotSent("limited"),
    ]);
  });

  it("early requests carry the trace of the page", async () => {
    const sentry = await importSentry();
    const { "sentry-trace": trace, baggage } = sentry.traceHeaders();
    expect(trace).toMatch(new RegExp(`^${sentry.currentTraceId()}-[0-9a-f]{16}$`));
    expect(baggage).toContain(`sentry-trace_id=${sentry.currentTraceId()}`);
    expect(baggage).toContain("sentry-public_key=key");
  });

  it("runs work in a span, and without one before the SDK is there", async () => {
    const sentry = await importSentry();
    expect(sentry.startSpan("early", "task", () => 1)).toBe(1);
    sentry.captureMessage("fetch the SDK now");
    await waitFor(() => expect(sentry.sdkState()).toBe("on"));
    expect(sentry.startSpan("late", "task", () => 2)).toBe(2);
  });

  it("keeps the beginning of an early storm of errors, and the end of any other", async () => {
    const sentry = await importSentry();
    for (let index = 0; index < 300; index++) {
      sentry.setTag("index", index);
      sentry.captureMessage(`storm ${index}`);
      sentry.addBreadcrumb(`crumb ${index}`, "storm");
    }
    await waitFor(() => expect(sentry.sdkState()).toBe("on"));
    sentry.captureMessage("after the storm");
    await waitFor(() => expect(events().at(-1)?.payload.message).toBe("after the storm"));
    const storm = events().filter(({ payload }) => payload.message.startsWith("storm"));
    expect(storm.map(({ payload }) => payload.message)).toContain("storm 0");
    expect(storm.length).toBeLessThanOrEqual(100);
    const last = events().at(-1)?.payload;
    expect(last.tags.index).toBe(299);
    expect(last.breadcrumbs.at(-1).message).toBe("crumb 299");
  });
});

describe("without a DSN", () => {
  it("nothing is sent, asked for or remembered", async () => {
    const sentry = await importSentry("");
    sentry.setUser("user-7");
    expect(sentry.captureException(new Error("x"))).toBeNull();
    expect(sentry.captureMessage("x")).toBeNull();
    expect(sentry.captureFeedback({ message: "x" })).toBeNull();
    expect(sentry.currentTraceId()).toBeNull();
    expect(sentry.traceHeaders()).toEqual({});
    expect(sentry.startSpan("x", "task", () => 3)).toBe(3);
    expect(sent).toEqual([]);
  });
});
