/** What cannot be sent waits in the browser's database, and leaves when Sentry can be reached. */
import { makeBrowserOfflineTransport, makeFetchTransport } from "@sentry/react";
import { noteStored } from "./outcomes";

/** The browser's own, from before the SDK wraps it to see what the application fetches. */
const nativeFetch = globalThis.fetch;

/**
 * Bytes under way in requests that outlive the page. Chromium refuses what is beyond 65536, of all of them together
 * (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch); the SDK counts characters, which may have several bytes.
 */
const OUTLIVING_BYTES = 60_000;
let outliving = 0;

/** A server that is too busy is as good as out of reach: the store tries again, where the SDK would give up. */
async function fetchOrFail(
  url: Parameters<typeof fetch>[0],
  init: RequestInit = {},
): Promise<Response> {
  const { size } = new Blob([init.body as string]);
  const keepalive = init.keepalive === true && outliving + size <= OUTLIVING_BYTES;
  const bytes = keepalive ? size : 0;
  outliving += bytes;
  try {
    const response = await nativeFetch(url, { ...init, keepalive });
    // The browser counts the request until its answer has been read.
    await response.arrayBuffer();
    if (response.status >= 500) {
      throw new Error(`status ${response.status}`);
    }
    return response;
  } finally {
    outliving -= bytes;
  }
}

/** Envelopes that the store holds: bursts of two minutes, of which the limiter lets 50 each pass. */
const STORED = 100;

/**
 * Sends, or stores errors and feedback. What comes here has to be redacted: it may lie there for long. Recordings are
 * sent at once or not at all; the SDK would store each of them before it is sent, and pages that are left never send.
 */
export const makeStoringTransport: typeof makeFetchTransport = (options) => {
  const direct = makeFetchTransport(options, fetchOrFail);
  const storing = makeBrowserOfflineTransport(() => direct)({
    ...options,
    maxQueueSize: STORED,
    flushAtStartup: true,
    // What nobody misses would take the place of what somebody does.
    shouldStore: ([headers, items]) =>
      items.some(([{ type }]) => type === "event" || type === "feedback") &&
      noteStored((headers as { event_id?: string }).event_id),
  });
  return {
    flush: (timeout) => storing.flush(timeout),
    send: (envelope) => {
      const isReplay = envelope[1].some(([header]) => header.type.startsWith("replay_"));
      return (isReplay ? direct : storing).send(envelope);
    },
  };
};
