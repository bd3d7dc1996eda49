import { describe, expect, it } from "vitest";
import { scrubbing, scrubEnvelope } from "./transport";

type MakeTransport = Parameters<typeof scrubbing>[0];
type Envelope = Parameters<typeof scrubEnvelope>[0];

/** A transport that keeps what passes, and counts what was dropped on the way. */
function recorder() {
  const sent: Envelope[] = [];
  const dropped: string[] = [];
  const make: MakeTransport = () => ({
    send: (envelope) => {
      sent.push(envelope);
      return Promise.resolve({ statusCode: 200 });
    },
    flush: () => Promise.resolve(true),
  });
  const options = {
    url: "",
    recordDroppedEvent: (reason: string) => {
      dropped.push(reason);
    },
  };
  return { sent, dropped, transport: scrubbing(make)(options) };
}

const envelope = (type: string, payload: unknown, headers = {}) =>
  [headers, [[{ type }, payload]]] as Envelope;

const payloadOf = (given: Envelope) => JSON.parse(JSON.stringify(given[1][0]?.[1]));

describe("the transport", () => {
  it.each([
    "event",
    "transaction",
    "span",
    "log",
    "trace_metric",
    "session",
    "feedback",
    "check_in",
  ])("redacts an item of type %s", async (type) => {
    const { sent, transport } = recorder();
    await transport.send(envelope(type, { deep: [{ password: "hunter22" }], text: "token=abc" }));
    const raw = JSON.stringify(sent);
    expect(raw).not.toContain("hunter22");
    expect(raw).not.toContain("token=abc");
  });

  it.each([
    ["text", "recording"],
    ["bytes", new Uint8Array([1])],
    ["a list", [{ a: 1 }]],
    ["nothing", null],
  ])("drops and counts an item that is %s", async (_, payload) => {
    const { sent, dropped, transport } = recorder();
    expect(await transport.send(envelope("attachment", payload))).toEqual({});
    expect(sent).toEqual([]);
    expect(dropped).toEqual(["internal_sdk_error"]);
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
    const sent = scrubEnvelope(envelope("event", { breadcrumbs: [{ data: { to: text } }] }));
    expect(payloadOf(sent).breadcrumbs[0].data.to).toBe(expected);
  });

  it("keeps its address and redacts its other headers", () => {
    const dsn = "https://key@sentry.example.com/2";
    const trace = { public_key: "key", transaction: "/login?password=hunter22" };
    const [headers] = scrubEnvelope(envelope("event", {}, { dsn, trace }));
    expect(headers).toEqual({
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
    { type: "session", filename: "report.json", attachment_type: "event.attachment" },
  ])("keeps the headers that describe an item: %j", (header) => {
    const [, items] = scrubEnvelope([{}, [[header, {}]]] as unknown as Envelope);
    expect(items[0]?.[0]).toEqual(header);
  });

  it("redacts the other headers of an item", () => {
    const header = { type: "event", token: "hunter22", note: "I am jane@example.com" };
    const [, items] = scrubEnvelope([{}, [[header, {}]]] as unknown as Envelope);
    expect(items[0]?.[0]).toEqual({
      type: "event",
      token: "[Filtered]",
      note: "I am [Filtered:email]",
    });
  });

  it("keeps no contact in what is no feedback", () => {
    const contexts = { feedback: { contact_email: "jane@example.com" } };
    const sent = payloadOf(scrubEnvelope(envelope("event", { contexts })));
    expect(sent.contexts.feedback.contact_email).toBe("[Filtered]");
  });

  it.each([
    ["jane@example.com", "jane@example.com"],
    ["my password=hunter22", "[Filtered]"],
  ])("keeps the contact of a feedback if it is an e-mail address: %s", (contact, expected) => {
    const feedback = { contact_email: contact, message: "I am jane@example.com, token=abc" };
    const sent = payloadOf(scrubEnvelope(envelope("feedback", { contexts: { feedback } })));
    expect(sent.contexts.feedback.contact_email).toBe(expected);
    expect(sent.contexts.feedback.message).not.toMatch(/jane|abc/);
  });
});
