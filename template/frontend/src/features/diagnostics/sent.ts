/** What the diagnostics page has sent. Lives outside the page, so that the list survives a broken page. */
import { useSyncExternalStore } from "react";
import { onSent } from "../../lib/sentry";

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
export function record(entry: Omit<Entry, "id" | "time">): void {
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
