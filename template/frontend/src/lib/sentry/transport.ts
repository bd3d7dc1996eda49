/** The one way out: every item of every envelope passes here and is redacted, or it does not leave. */
import rules from "@contracts/scrubber.json";
import type { BrowserOptions } from "@sentry/react";
import { env } from "../../config/env";
import { type Fields, isFields, Scrubber } from "./scrubber";

type MakeTransport = NonNullable<BrowserOptions["transport"]>;
type Envelope = Parameters<ReturnType<MakeTransport>["send"]>[0];

const scrubber = new Scrubber(rules, env.sensitiveKeys);

/** Wraps a transport. An envelope that cannot be redacted is dropped and counted, never sent as it is. */
export function scrubbing(makeTransport: MakeTransport): MakeTransport {
  return (options) => {
    const transport = makeTransport(options);
    return {
      flush: (timeout) => transport.flush(timeout),
      send: (envelope) => {
        try {
          return transport.send(scrubEnvelope(envelope));
        } catch {
          options.recordDroppedEvent("internal_sdk_error", "unknown");
          return Promise.resolve({});
        }
      },
    };
  };
}

/** A redacted copy. Throws if an item is not made of fields: bytes and text cannot be redacted by key. */
export function scrubEnvelope(envelope: Envelope): Envelope {
  const [headers, items] = envelope;
  const { dsn, ...others } = headers as Fields;
  const cleanItems = items.map(([header, payload]) => {
    if (!isFields(payload)) {
      throw new TypeError("an envelope item without fields");
    }
    const clean = scrubber.scrub(payload);
    return [
      scrubber.scrub(header),
      header.type === "feedback" ? keepContact(payload, clean) : clean,
    ];
  });
  // The DSN addresses the envelope, and its key is public.
  return [
    { ...(scrubber.scrub(others) as Fields), ...(dsn ? { dsn } : {}) },
    cleanItems,
  ] as Envelope;
}

/** Gives a feedback its e-mail address back: the person wrote it down to be answered. */
function keepContact(before: unknown, after: unknown): unknown {
  const [given, scrubbed] = [before, after].map(feedbackOf);
  const address = given?.contact_email;
  if (scrubbed && typeof address === "string" && /^[^\s@]+@[^\s@]+$/.test(address)) {
    scrubbed.contact_email = address;
  }
  return after;
}

function feedbackOf(payload: unknown): Fields | undefined {
  const contexts = isFields(payload) ? payload.contexts : undefined;
  const feedback = isFields(contexts) ? contexts.feedback : undefined;
  return isFields(feedback) ? feedback : undefined;
}
