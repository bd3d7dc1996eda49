/** The application's verbs. They work before the SDK is there, and do nothing when Sentry is off. */
import type { ErrorInfo } from "react";
import { env } from "../../config/env";
import {
  enabled,
  eventIdOf,
  loadedSdk,
  newId,
  onChange,
  outcomeOf,
  page,
  type Sent,
  thisMoment,
  urgently,
  withSdk,
} from "./boot";

export interface CaptureContext {
  tags?: Record<string, string | number | boolean>;
  extra?: Record<string, unknown>;
  level?: Severity;
}

export type Severity = "fatal" | "error" | "warning" | "info" | "debug";

export interface Feedback {
  message: string;
  name?: string;
  email?: string;
  /** The event that the feedback is about. */
  eventId?: string | null;
}

/** Reports an error and returns its event id, or null when Sentry is off. The same error is sent once. */
export function captureException(error: unknown, context: CaptureContext = {}): string | null {
  const hint = { event_id: eventIdOf(error), captureContext: context, data: thisMoment() };
  urgently((sdk) => sdk.captureException(error, hint));
  return enabled ? hint.event_id : null;
}

/** Reports a sentence and returns its event id, or null when Sentry is off. */
export function captureMessage(text: string, level: Severity = "info"): string | null {
  const hint = { event_id: newId(32), data: thisMoment() };
  urgently((sdk) => sdk.getCurrentScope().captureMessage(text, level, hint));
  return enabled ? hint.event_id : null;
}

/** Sends what a person says and returns its event id, or null when Sentry is off. */
export function captureFeedback({ eventId, ...words }: Feedback): string | null {
  const hint = { event_id: newId(32), data: thisMoment() };
  const feedback = { ...words, associatedEventId: eventId ?? undefined };
  urgently((sdk) => sdk.captureFeedback(feedback, hint));
  return enabled ? hint.event_id : null;
}

/** Names the user of the following events; by id, so that nothing personal leaves. */
export function setUser(id: string | null): void {
  withSdk((sdk) => sdk.setUser(id === null ? null : { id }));
}

export function setTag(key: string, value: string | number | boolean): void {
  withSdk((sdk) => sdk.setTag(key, value));
}

export function setContext(name: string, context: Record<string, unknown> | null): void {
  withSdk((sdk) => sdk.setContext(name, context));
}

export function addBreadcrumb(
  message: string,
  category: string,
  data?: Record<string, unknown>,
): void {
  const { timestamp } = thisMoment();
  withSdk((sdk) => sdk.addBreadcrumb({ message, category, data, timestamp }));
}

/** Runs `work` in a span; without one when the SDK is not there. */
export function startSpan<T>(name: string, op: string, work: () => T): T {
  const sdk = loadedSdk();
  return sdk ? sdk.startSpan({ name, op }, work) : work();
}

/** Calls `listener` with each error and feedback that the server has answered, or that was dropped. */
export function onSent(listener: (sent: Sent) => void): () => void {
  return onChange((sent) => sent && listener(sent));
}

const REASONS = {
  refused: "Sentry did not take it.",
  filtered: "Errors of this kind are left out on purpose.",
  limited: "The same error came too often within a minute, so this one was not sent.",
  unloaded:
    "The Sentry SDK could not be loaded, so it was not sent. The page still tries for a while.",
};

/** Why something was not sent, in a sentence; undefined when it was, or is still under way. */
export function whyNotSent(outcome: ReturnType<typeof outcomeOf>): string | undefined {
  return outcome === undefined || outcome === "accepted" ? undefined : REASONS[outcome];
}

/** The same for the event of an id. */
export const whyEventNotSent = (eventId: string) => whyNotSent(outcomeOf(eventId));

/** What the SDK runs with; undefined until it is there. */
export const browserSettings = () => loadedSdk()?.settings;

/** The trace of this page visit, or null when Sentry is off. */
export function currentTraceId(): string | null {
  return enabled ? (loadedSdk()?.currentTraceId() ?? page.traceId) : null;
}

/** The headers that carry the trace, for requests made before the SDK is there to add them. */
export function traceHeaders(): Record<string, string> {
  if (!enabled || loadedSdk()) {
    return {};
  }
  const baggage = {
    trace_id: page.traceId,
    sample_rand: page.sampleRand.toFixed(6),
    public_key: new URL(env.dsn).username,
    environment: env.environment,
    ...(env.release && { release: env.release }),
    ...(env.orgId && { org_id: env.orgId }),
  };
  return {
    "sentry-trace": `${page.traceId}-${page.spanId}`,
    baggage: Object.entries(baggage)
      .map(([key, value]) => `sentry-${key}=${encodeURIComponent(value)}`)
      .join(),
  };
}

function captureReact(error: unknown, info: ErrorInfo, handled: boolean): void {
  // React prints errors itself only when no handler is set.
  console.error(error);
  const hint = {
    event_id: eventIdOf(error),
    mechanism: { handled, type: "auto.function.react.error_handler" },
    data: thisMoment(),
  };
  urgently((sdk) => sdk.captureReactException(error, info, hint));
}

/** For `createRoot`: reports what components throw, with the component stack. */
export const rootErrorHandlers = {
  onCaughtError: (error: unknown, info: ErrorInfo) => captureReact(error, info, true),
  onUncaughtError: (error: unknown, info: ErrorInfo) => captureReact(error, info, false),
  onRecoverableError: (error: unknown, info: ErrorInfo) => captureReact(error, info, true),
};
