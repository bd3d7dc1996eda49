import {
  addBreadcrumb,
  BrowserClient,
  captureException,
  defaultStackParser,
  logger,
  metrics,
  Scope,
  startSpan,
  withScope,
  withStaticSpan,
} from "@sentry/react";
import { describe, expect, it, vi } from "vitest";
import { compressRecording } from "./replay";
import { inTurn, letRecordingsPass, scrubbing, scrubEnvelope } from "./transport";

type MakeTransport = Parameters<typeof scrubbing>[0];
type Envelope = Parameters<typeof scrubEnvelope>[0];

/** A transport that keeps what passes, and counts what was dropped on the way. */
function recorder() {
  const sent: Envelope[] = [];
  const dropped: [string, string][] = [];
  const make: MakeTransport = () => ({
    send: (envelope) => {
      sent.push(envelope);
      return Promise.resolve({ statusCode: 200 });
    },
    flush: () => Promise.resolve(true),
  });
  const options = {
    url: "",
    recordDroppedEvent: (reason: string, category: string) => {
      dropped.push([reason, category]);
    },
  };
  return { sent, dropped, transport: scrubbing(make)(options) };
}

const envelope = (type: string, payload: unknown, headers = {}) =>
  [headers, [[{ type }, payload]]] as Envelope;

/** The first item of an envelope that leaves, as it is sent. */
function leaving(given: Envelope) {
  const [header, payload] = scrubEnvelope(given)?.[1][0] ?? [];
  return { header, payload: JSON.parse(JSON.stringify(payload)) };
}

describe("the transport", () => {
  it.each([
    "event",
    "transaction",
    "span",
    "log",
    "trace_metric",
    "session",
    "sessions",
    "client_report",
    "feedback",
    "user_report",
    "check_in",
    "profile",
    "profile_chunk",
    "replay_event",
  ])("redacts an item of type %s", async (type) => {
    const { sent, transport } = recorder();
    await transport.send(envelope(type, { deep: [{ password: "hunter22" }], text: "token=abc" }));
    const raw = JSON.stringify(sent);
    expect(raw).toContain("[Filtered]");
    expect(raw).not.toContain("hunter22");
    expect(raw).not.toContain("token=abc");
  });

  it.each([
    ["attachment", { a: 1 }, "attachment"],
    ["attachment", new Uint8Array([1]), "attachment"],
    ["raw_security", { a: 1 }, "security"],
    ["invented", { a: 1 }, "invented"],
    ["event", "text", "error"],
    ["event", [{ a: 1 }], "error"],
    ["log", null, "log_item"],
    ["replay_recording", '{"segment_id":0}\n[]', "replay"],
  ])("drops and counts an item of type %s with %j", async (type, payload, category) => {
    const { sent, dropped, transport } = recorder();
    expect(await transport.send(envelope(type, payload))).toEqual({});
    expect(sent).toEqual([]);
    expect(dropped).toEqual([["internal_sdk_error", category]]);
  });

  it("sends what stands beside an item that is dropped", async () => {
    const { sent, dropped, transport } = recorder();
    const items = [
      [{ type: "attachment" }, "hunter22"],
      [{ type: "event" }, { message: "kept" }],
    ];
    await transport.send([{}, items] as unknown as Envelope);
    expect(JSON.stringify(sent)).toBe('[[{},[[{"type":"event"},{"message":"kept"}]]]]');
    expect(dropped).toEqual([["internal_sdk_error", "attachment"]]);
  });

  it("drops what cannot be read", async () => {
    const { sent, dropped, transport } = recorder();
    const trap = {
      get message(): string {
        throw new Error("hunter22");
      },
    };
    expect(await transport.send(envelope("event", trap))).toEqual({});
    expect(sent).toEqual([]);
    expect(dropped).toHaveLength(1);
  });

  it("does not change what it is given", async () => {
    const { transport } = recorder();
    const event = { request: { url: "https://app.example/?a=b" }, password: "hunter22" };
    await transport.send(envelope("event", event));
    expect(event).toEqual({ request: { url: "https://app.example/?a=b" }, password: "hunter22" });
  });
});

describe("an envelope", () => {
  it.each([
    ["https://app.example/orders?q=jane#top", "https://app.example/orders?[Filtered:url_query]"],
    ["/orders?q=jane", "/orders?[Filtered:url_query]"],
    ["/orders#jane", "/orders#[Filtered:url_query]"],
    [
      "GET https://app.example/a?q=jane failed",
      "GET https://app.example/a?[Filtered:url_query] failed",
    ],
    ["WSS://app.example/live?q=jane", "WSS://app.example/live?[Filtered:url_query]"],
    ["is it https://app.example/orders?", "is it https://app.example/orders?"],
    ["what? no #1 address / here", "what? no #1 address / here"],
  ])("keeps of %s only %s", (text, expected) => {
    const { payload } = leaving(envelope("event", { breadcrumbs: [{ data: { to: text } }] }));
    expect(payload.breadcrumbs[0].data.to).toBe(expected);
  });

  it("keeps its address and redacts its other headers", () => {
    const dsn = "https://key@sentry.example.com/2";
    const trace = { public_key: "key", transaction: "/login?password=hunter22" };
    expect(scrubEnvelope(envelope("event", {}, { dsn, trace }))?.[0]).toEqual({
      dsn,
      trace: { public_key: "key", transaction: "/login?[Filtered:url_query]" },
    });
  });

  it.each([
    { type: "event" },
    { type: "feedback", content_type: "application/json", length: 1234 },
    { type: "check_in" },
    { type: "log", item_count: 2, content_type: "application/vnd.sentry.items.log+json" },
    {
      type: "trace_metric",
      item_count: 2,
      content_type: "application/vnd.sentry.items.trace-metric+json",
    },
    { type: "span", item_count: 100, content_type: "application/vnd.sentry.items.span.v2+json" },
  ])("keeps the headers that describe an item: %j", (header) => {
    expect(leaving([{}, [[header, {}]]] as unknown as Envelope).header).toEqual(header);
  });

  it("redacts the other headers of an item", () => {
    const header = { type: "event", token: "hunter22", note: "I am jane@example.com" };
    expect(leaving([{}, [[header, {}]]] as unknown as Envelope).header).toEqual({
      type: "event",
      token: "[Filtered]",
      note: "I am [Filtered:email]",
    });
  });

  it("keeps no contact in what is no feedback", () => {
    const contexts = { feedback: { contact_email: "jane@example.com" } };
    const { payload } = leaving(envelope("event", { contexts }));
    expect(payload.contexts.feedback.contact_email).toBe("[Filtered]");
  });

  it.each([
    ["jane@example.com", "jane@example.com"],
    ["my password=hunter22", "[Filtered]"],
  ])("keeps the contact of a feedback if it is an e-mail address: %s", (contact, expected) => {
    const feedback = { contact_email: contact, message: "I am jane@example.com, token=abc" };
    const { payload } = leaving(envelope("feedback", { contexts: { feedback } }));
    expect(payload.contexts.feedback.contact_email).toBe(expected);
    expect(payload.contexts.feedback.message).not.toMatch(/jane|abc/);
  });
});

describe("a recording", () => {
  const replay = [
    { event_id: "f" },
    [
      [
        { type: "replay_event" },
        { replay_id: "f".repeat(32), urls: ["https://app.example/?q=jane"] },
      ],
      [{ type: "replay_recording", length: 9 }, '{"segment_id":0}\n[1,2]'],
    ],
  ] as unknown as Envelope;

  it("is dropped together with its event as long as nobody can redact it", async () => {
    const { sent, dropped, transport } = recorder();
    expect(await transport.send(replay)).toEqual({});
    expect(sent).toEqual([]);
    expect(dropped).toEqual([["internal_sdk_error", "replay"]]);
  });

  it("leaves redacted, compressed while the page is visible, and plain when it is not", async () => {
    const { sent, transport } = recorder();
    letRecordingsPass({
      redactRecording: (text) => text.replace("1", "9"),
      compressRecording,
    });
    await transport.send(replay);
    vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    await transport.send(replay);
    const [packed, plain] = sent.map(
      ([, items]) => items[1] as unknown as [{ length: number }, Uint8Array],
    );
    expect(new TextDecoder().decode(plain?.[1])).toBe('{"segment_id":0}\n[9,2]');
    expect(plain?.[0].length).toBe(22);
    const bytes = new Uint8Array(packed?.[1] ?? []);
    expect(packed?.[0].length).toBe(bytes.length);
    expect(new TextDecoder().decode(bytes.subarray(0, 17))).toBe('{"segment_id":0}\n');
    const events = new Blob([bytes.subarray(17)]).stream();
    const inflated = new Response(events.pipeThrough(new DecompressionStream("deflate")));
    expect(await inflated.text()).toBe("[9,2]");
  });

  it("is dropped when its redaction fails", async () => {
    const { sent, transport } = recorder();
    letRecordingsPass({
      redactRecording: () => {
        throw new Error("no recording");
      },
      compressRecording,
    });
    expect(await transport.send(replay)).toEqual({});
    expect(sent).toEqual([]);
  });
});

describe("a hook that throws", () => {
  const secret = "hunter22";
  const fail = () => {
    throw new Error(secret);
  };

  it.each([
    "beforeSend",
    "beforeBreadcrumb",
    "beforeSendLog",
    "beforeSendMetric",
    "beforeSendSpan",
  ])("lets nothing out: %s", async (hook) => {
    const { sent, transport } = recorder();
    const client = new BrowserClient({
      dsn: "https://key@sentry.example.com/2",
      transport: () => transport,
      stackParser: defaultStackParser,
      integrations: [],
      dataCollection: {},
      tracesSampleRate: 1,
      traceLifecycle: "static",
      [hook]: hook === "beforeSendSpan" ? withStaticSpan(fail) : fail,
    });
    const scope = new Scope();
    scope.setClient(client);
    client.init();
    withScope(scope, () => {
      addBreadcrumb({ message: `password=${secret}` });
      startSpan({ name: `password=${secret}`, attributes: { password: secret } }, () => undefined);
      logger.info(`password=${secret}`, { password: secret });
      metrics.count("tries", 1, { attributes: { password: secret } });
      captureException(new Error(`password=${secret}`));
    });
    await client.flush();
    const raw = JSON.stringify(sent);
    expect(raw).not.toContain(secret);
    const kept = { beforeSend: "transaction", beforeSendSpan: "transaction" }[hook] ?? "event";
    expect(raw).toContain(`{"type":"${kept}"`);
  });
});

describe("envelopes in turn", () => {
  /** A transport of ten envelopes that answers when it is told to. */
  function sending() {
    const answers: (() => void)[] = [];
    const { send } = inTurn(() => ({
      send: () => new Promise((resolve) => answers.push(() => resolve({ statusCode: 200 }))),
      flush: () => Promise.resolve(true),
    }))({ url: "", recordDroppedEvent: () => undefined });
    const sent = Promise.all(Array.from({ length: 10 }, () => send(envelope("event", {}))));
    return { answers, sent };
  }

  it("leave a few at a time, and all in the end", async () => {
    const { answers, sent } = sending();
    for (let answered = 0; answered < 10; answered++) {
      await vi.waitFor(() => expect(answers).toHaveLength(Math.min(4 + answered, 10)));
      answers[answered]?.();
    }
    expect(await sent).toHaveLength(10);
  });

  it("all leave at once with the page", async () => {
    const { answers } = sending();
    await vi.waitFor(() => expect(answers).toHaveLength(4));
    vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    document.dispatchEvent(new Event("visibilitychange"));
    await vi.waitFor(() => expect(answers).toHaveLength(10));
  });
});
