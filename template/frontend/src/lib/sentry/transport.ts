/** The SDK's one way out: every item of every envelope passes here and is redacted, or it does not leave. */
import rules from "@contracts/scrubber.json";
import { type EnvelopeItemType, envelopeItemTypeToDataCategory } from "@sentry/core";
import type { BrowserOptions } from "@sentry/react";
import { env, read } from "../../config/env";
import { readVariables } from "../../config/variables";
import { withoutQuotes } from "./quotes";
import { type Fields, isFields, Scrubber } from "./scrubber";

type MakeTransport = NonNullable<BrowserOptions["transport"]>;
type TransportOptions = Parameters<MakeTransport>[0];
type Envelope = Parameters<ReturnType<MakeTransport>["send"]>[0];
type Category = Parameters<TransportOptions["recordDroppedEvent"]>[1];
type Item = [Fields, unknown];

/** What the recording of a replay needs to leave. It comes with replay itself, and without it none leaves. */
export interface Recordings {
  redactRecording: (recording: string, scrubber: Scrubber) => string;
  compressRecording: (recording: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;
}

/** What is made of fields. The rest is bytes, or unknown, and could not be redacted by key. */
const TYPES = new Set<unknown>(
  (
    "event transaction span log trace_metric session sessions feedback user_report check_in client_report profile " +
    "profile_chunk replay_event"
  ).split(" "),
);

const scrubber = new Scrubber(rules, readVariables(env, read).sensitiveKeys);
let recordings: Recordings | undefined;

/** Lets recordings leave from now on, redacted. */
export function letRecordingsPass(given: Recordings): void {
  recordings = given;
}

/** Wraps a transport. What cannot be redacted is dropped and counted, never sent as it is. */
export function scrubbing(makeTransport: MakeTransport): MakeTransport {
  return (options) => {
    const transport = makeTransport(options);
    return {
      flush: (timeout) => transport.flush(timeout),
      send: (envelope) => {
        let clean: Envelope | undefined;
        try {
          clean = scrubEnvelope(envelope, (category) =>
            options.recordDroppedEvent("internal_sdk_error", category),
          );
        } catch {
          options.recordDroppedEvent("internal_sdk_error", "unknown");
        }
        if (!clean) {
          return Promise.resolve({});
        }
        const recording = clean[1].find(([{ type }]) => type === "replay_recording");
        return recording
          ? compress(recording as unknown as Item).then(() => transport.send(clean))
          : transport.send(clean);
      },
    };
  };
}

/** A redacted copy without the items that nobody can redact; undefined if nothing is left. Throws if its headers are odd. */
export function scrubEnvelope(
  envelope: Envelope,
  onDropped: (category: Category) => void = () => undefined,
): Envelope | undefined {
  const [headers, items] = envelope as unknown as [Fields, Item[]];
  const { dsn, ...others } = headers;
  const cleanItems = items.flatMap(([header, payload]): Item[] => {
    try {
      return [scrubItem(header, payload)];
    } catch {
      onDropped(envelopeItemTypeToDataCategory(header.type as EnvelopeItemType));
      return [];
    }
  });
  const isReplay = items.some(([{ type }]) => type === "replay_recording");
  // Half a replay is none.
  if (cleanItems.length === 0 || (isReplay && cleanItems.length < items.length)) {
    return undefined;
  }
  // The DSN addresses the envelope, and its key is public.
  return [
    { ...(scrubber.scrub(others) as Fields), ...(dsn ? { dsn } : {}) },
    cleanItems,
  ] as unknown as Envelope;
}

function scrubItem(header: Fields, payload: unknown): Item {
  const cleanHeader = scrubber.scrub(header) as Fields;
  if (header.type === "replay_recording" && recordings && typeof payload === "string") {
    const bytes = new TextEncoder().encode(recordings.redactRecording(payload, scrubber));
    return [{ ...cleanHeader, length: bytes.length }, bytes];
  }
  if (!TYPES.has(header.type) || !isFields(payload)) {
    throw new TypeError("an envelope item without fields");
  }
  const clean = withoutQuotes(scrubber.scrub(payload));
  return [cleanHeader, header.type === "feedback" ? keepContact(payload, clean) : clean];
}

/** A page that is about to go away has no time for it, and Sentry takes a recording as it is. */
async function compress(item: Item): Promise<void> {
  if (recordings && document.visibilityState === "visible") {
    const bytes = await recordings.compressRecording(item[1] as Uint8Array<ArrayBuffer>);
    item[0].length = bytes.length;
    item[1] = bytes;
  }
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

/**
 * Envelopes under way at a time. Of the six connections that a browser has to a host it leaves some to the application.
 * Neither the SDK, which drops the 41st at once, nor the API's tunnel, which takes ten of a client, has to refuse any.
 */
const LANES = 4;

/**
 * Wraps a transport to send envelopes in turn, each in a task of its own, so that the page stays responsive while they
 * are redacted. When the page is left, all that wait leave at once.
 */
export function inTurn(makeTransport: MakeTransport): MakeTransport {
  return (options) => {
    const transport = makeTransport(options);
    const waiting: (() => void)[] = [];
    let underWay = 0;
    const isLeft = () => document.visibilityState === "hidden";
    const sendNext = () => {
      while (waiting.length > 0 && (underWay < LANES || isLeft())) {
        underWay += 1;
        waiting.shift()?.();
      }
    };
    addEventListener("visibilitychange", sendNext, true);
    return {
      flush: (timeout) => transport.flush(timeout),
      send: async (envelope) => {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          if (isLeft()) {
            sendNext();
          } else {
            setTimeout(sendNext);
          }
        });
        try {
          return await transport.send(envelope);
        } finally {
          underWay -= 1;
          sendNext();
        }
      },
    };
  };
}
