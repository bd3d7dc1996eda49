/** What the diagnostics page does, and what came of it. Outside of the page, so that it survives a broken page. */
import { useSyncExternalStore } from "react";
import { ApiError, api, bodyOf } from "../../lib/api/client";
import { enabled, onSent } from "../../lib/sentry";

/** Long enough to stand out among other requests; in seconds. */
const SLOW = 2;

export interface Entry {
  id: number;
  time: Date;
  kind: "Browser error" | "Backend error" | "Slow request" | "Feedback";
  state: "Sent" | "Not sent" | "Answered";
  eventId?: string | null;
  traceId?: string | null;
  /** What else there is to know, in a sentence. */
  note?: string;
}

let entries: readonly Entry[] = [];
const subscribers = new Set<() => void>();

/** Puts an entry on top of the list. */
function record(entry: Omit<Entry, "id" | "time">): void {
  entries = [{ ...entry, id: entries.length, time: new Date() }, ...entries];
  for (const notify of subscribers) {
    notify();
  }
}

function subscribe(notify: () => void): () => void {
  subscribers.add(notify);
  return () => subscribers.delete(notify);
}

/** The list, newest first. */
export const useSent = () => useSyncExternalStore(subscribe, () => entries);

onSent(({ kind, accepted, eventId, traceId }) =>
  record({
    kind: kind === "feedback" ? "Feedback" : "Browser error",
    state: accepted ? "Sent" : "Not sent",
    note: accepted ? undefined : "Sentry did not take it.",
    eventId,
    traceId,
  }),
);

export const backendSettings = (signal: AbortSignal) =>
  bodyOf(api.GET("/api/v1/sentry-debug", { signal }));

/** Says that it went nowhere; what is sent is listed when Sentry has answered. */
function noteWhenOff(kind: Entry["kind"]): void {
  if (!enabled) {
    record({ kind, state: "Not sent", note: "Sentry is off in the browser." });
  }
}

export const noteBrowserError = () => noteWhenOff("Browser error");
export const noteFeedback = () => noteWhenOff("Feedback");

export async function askBackendToBreak(): Promise<void> {
  await api.GET("/api/v1/sentry-test/error").catch(recordFailure("Backend error"));
}

export async function askBackendToWait(): Promise<void> {
  const query = { seconds: SLOW };
  await bodyOf(api.GET("/api/v1/sentry-test/slow", { params: { query } })).then(
    ({ seconds, trace_id: traceId }) =>
      record({
        kind: "Slow request",
        state: "Answered",
        note: `After ${seconds} seconds.`,
        traceId,
      }),
    recordFailure("Slow request"),
  );
}

/** Lists an API error with the event that the API has sent about it; any other error is ours. */
function recordFailure(kind: Entry["kind"]) {
  return (error: unknown) => {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    const { eventId, traceId, message } = error;
    record({ kind, state: eventId ? "Sent" : "Not sent", note: message, eventId, traceId });
  };
}
