/** The application's verbs. They work before the SDK is there, and do nothing when Sentry is off. */
import type { ErrorInfo } from "react";
import { env } from "../../config/env";
import { enabled, onChange, record, report, sdk, sdkState, trace, type Verb } from "./boot";
import type { Sent } from "./outcomes";
import type { Verbs } from "./sdk";

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

const recorded =
  <V extends Verb>(verb: V) =>
  (...args: Parameters<Verbs[V]>): void =>
    record(verb, args);

const reported =
  <V extends Verb>(verb: V) =>
  (...args: Parameters<Verbs[V]>): string | null =>
    report(verb, args);

/** Reports an error and returns its event id, or null when Sentry is off. The same error is sent once. */
export const captureException = reported("captureException");

/** Reports a sentence and returns its event id, or null when Sentry is off. */
export const captureMessage = reported("captureMessage");

/** Sends what a person says and returns its event id, or null when Sentry is off. */
export const captureFeedback = reported("captureFeedback");

/** Names the user of the following events; by id, so that nothing personal leaves. */
export const setUser = recorded("setUser");

/** Tags the following events. */
export const setTag = recorded("setTag");

/** Describes the following events under a name. */
export const setContext = recorded("setContext");

/** Tells how the application calls its addresses: `/orders/:orderId`. What stands in an address gets into no name. */
export const provideRoutes = recorded("provideRoutes");

/** Has a function asked for the state whenever an error is sent, which then carries its keys and types, no values. */
export const describeState = recorded("describeState");

/** Requests that the application notes itself: the SDK leaves no breadcrumb of them. */
export const notedRequests = new WeakSet<Request>();

/** Notes what has happened, for the following events. */
export const addBreadcrumb = recorded("addBreadcrumb");

/** Runs `work` in a span. One from before the SDK is there holds no others, and none if `work` throws. */
export function startSpan<T>(name: string, op: string, work: () => T): T {
  if (sdk) {
    return sdk.startSpan({ name, op }, work);
  }
  const start = Date.now() / 1000;
  const result = work();
  const end = () => record("pastSpan", [name, op, start]);
  if (result instanceof Promise) {
    return result.finally(end) as T;
  }
  end();
  return result;
}

/** Calls `listener` with each error and feedback that the server has answered, or that was dropped. */
export function onSent(listener: (sent: Sent) => void): () => void {
  return onChange((sent) => sent && listener(sent));
}

const UNLOADED = "The Sentry SDK could not be loaded yet, so it was not sent.";

/** Why something was not sent, in a sentence; undefined when it was, or is still under way. */
export const whyNotSent = (outcome?: Sent["outcome"] | "unloaded"): string | undefined =>
  outcome && (outcome === "unloaded" ? UNLOADED : sdk?.REASONS[outcome]);

/** The same for the event of an id. */
export const whyEventNotSent = (eventId: string): string | undefined =>
  whyNotSent(sdkState() === "failed" ? "unloaded" : sdk?.outcomeOf(eventId));

/** What the SDK runs with; undefined until it is there. */
export const browserSettings = () => sdk?.settings;

/** The trace of this page visit, or null when Sentry is off. */
export const currentTraceId = (): string | null =>
  enabled ? (sdk?.currentTraceId() ?? trace.trace_id) : null;

/** The headers that carry the trace, for requests made before the SDK is there to add them. */
export function traceHeaders(): Record<string, string> {
  if (!enabled || sdk) {
    return {};
  }
  const { trace_id, span_id, sample_rand } = trace;
  const { dsn, environment, release, orgId } = env;
  const organization = orgId && `,sentry-org_id=${orgId}`;
  return {
    "sentry-trace": `${trace_id}-${span_id}`,
    baggage: `sentry-trace_id=${trace_id},sentry-sample_rand=${sample_rand},sentry-public_key=${/\/(\w+)/.exec(dsn)?.[1]},sentry-environment=${environment},sentry-release=${encodeURIComponent(release)}${organization}`,
  };
}

const captureReactException = reported("captureReactException");

const reactHandler = (handled: boolean) => (error: unknown, info: ErrorInfo) => {
  // React prints errors itself only when no handler is set.
  console.error(error);
  captureReactException(error, info, handled);
};

/** For `createRoot`: reports what components throw, with the component stack. */
export const rootErrorHandlers = {
  onCaughtError: reactHandler(true),
  onUncaughtError: reactHandler(false),
  onRecoverableError: reactHandler(true),
};
