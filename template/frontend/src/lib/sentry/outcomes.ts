/** What became of each error and feedback, for people to see. */
import type { Event } from "@sentry/react";

/** What became of an error or a feedback. */
export interface Sent {
  kind: "error" | "feedback";
  eventId: string;
  traceId: string;
  /**
   * Only what is accepted has arrived. What is stored leaves when Sentry can be reached. Refused is by the server, the
   * rest by the hooks.
   */
  outcome: "accepted" | "stored" | "refused" | "filtered" | "limited";
}

/** As many as a page may ask about. */
const KEPT = 100;

const outcomes = new Map<string, Sent["outcome"]>();

/** What became of the event of this id; undefined as long as it is under way. */
export const outcomeOf = (eventId: string) => outcomes.get(eventId);

/** Remembers an outcome, and describes it. */
export function note(event: Event, outcome: Sent["outcome"]): Sent {
  const eventId = event.event_id ?? "";
  outcomes.set(eventId, outcome);
  const [oldest] = outcomes.keys();
  if (oldest && outcomes.size > KEPT) {
    outcomes.delete(oldest);
  }
  return {
    kind: event.type === "feedback" ? "feedback" : "error",
    eventId,
    traceId: event.contexts?.trace?.trace_id ?? "",
    outcome,
  };
}

/** Ids of what the offline store has just taken. */
const stored = new Set<string | undefined>();

/** Notes that an event is stored, and agrees to it. */
export function noteStored(eventId: string | undefined): true {
  stored.add(eventId);
  return true;
}

/** What the answer of the transport means for an event. */
export function outcomeOfAnswer(event: Event, statusCode = 0): Sent["outcome"] {
  if (stored.delete(event.event_id)) {
    return "stored";
  }
  return statusCode >= 200 && statusCode < 300 ? "accepted" : "refused";
}

/** Why something was not sent, in a sentence. */
export const REASONS = {
  accepted: undefined,
  stored:
    "Sentry cannot be reached. It is stored in this browser, if its settings allow that, and leaves as soon as it can.",
  refused: "Sentry did not take it.",
  filtered: "Errors of this kind are left out on purpose.",
  limited: "Errors came too often, so this one was not sent.",
} satisfies Record<Sent["outcome"], string | undefined>;
