/** What the diagnostics page does, and what came of it. Outside of the page, so that it survives a broken page. */
import { useSyncExternalStore } from "react";
import { ApiError, api, bodyOf, sentenceOf } from "../../lib/api/client";
import { onChange, onSent, sdkState, whyNotSent } from "../../lib/sentry";

/** Long enough to stand out among other requests; in seconds. */
const SLOW = 2;
/** As many entries as anybody looks through. */
const LISTED = 50;

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
  const id = (entries[0]?.id ?? 0) + 1;
  entries = [{ ...entry, id, time: new Date() }, ...entries].slice(0, LISTED);
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

onSent(({ kind, outcome, eventId, traceId }) => {
  if (outcome === "filtered") {
    return;
  }
  const entry = { kind: kind === "feedback" ? "Feedback" : "Browser error", traceId } as const;
  record(
    outcome === "accepted"
      ? { ...entry, state: "Sent", eventId }
      : { ...entry, state: "Not sent", note: whyNotSent(outcome) },
  );
});

export const backendSettings = (signal: AbortSignal) =>
  bodyOf(api.GET("/api/v1/sentry-debug", { signal }));

/** What happened while nobody knew whether the SDK comes. */
let undecided: Entry["kind"][] = [];

/** Says that it went nowhere; what is sent is listed when Sentry has answered. */
function noteUnlessSent(kind: Entry["kind"]): void {
  const state = sdkState();
  if (state === "starting") {
    undecided.push(kind);
  } else if (state !== "on") {
    const note = state === "off" ? "Sentry is off in the browser." : whyNotSent("unloaded");
    record({ kind, state: "Not sent", note });
  }
}

onChange(() => {
  const kinds = undecided;
  undecided = [];
  kinds.forEach(noteUnlessSent);
});

export const noteBrowserError = () => noteUnlessSent("Browser error");
export const noteFeedback = () => noteUnlessSent("Feedback");

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
    const { eventId, traceId } = error;
    record({ kind, state: eventId ? "Sent" : "Not sent", note: explain(error), eventId, traceId });
  };
}

/** What an API error means here, in a sentence. */
export function explain(error: unknown): string {
  if (error instanceof ApiError && error.status === 404) {
    return "The test endpoints are closed here, as they are in production unless SENTRY_DIAGNOSTICS_TOKEN opens them.";
  }
  return error instanceof Error ? sentenceOf(error) : "The API does not answer.";
}
