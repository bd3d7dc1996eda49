/** The lazy part: the SDK, started, and what the recorded calls mean. Reached through `boot` only, as one chunk. */

import environments from "@contracts/environments.json";
import { maybeInstrument, triggerHandlers } from "@sentry/core";
import {
  addBreadcrumb,
  BrowserClient,
  captureException,
  captureFeedback,
  captureReactException,
  defaultStackParser,
  getClient,
  getCurrentScope,
  setContext,
  setTag,
  setUser,
  startInactiveSpan,
} from "@sentry/react";
import type { ErrorInfo } from "react";
import { env, read } from "../../config/env";
import { readVariables } from "../../config/variables";
import type { CaptureContext, Feedback, Severity } from "./api";
import { type Call, eventIdOf, type trace, type Verb } from "./boot";
import { Limiter, makeBeforeSend } from "./hooks";
import { integrationsOf } from "./integrations";
import { makeStoringTransport } from "./offline";
import { buildOptions } from "./options";
import { note, outcomeOfAnswer, type Sent } from "./outcomes";
import { withoutQuery } from "./quotes";
import { provideRoutes } from "./routes";
import { offerReplay } from "./signs";
import { describeState } from "./state";
import { inTurn, scrubbing } from "./transport";

export { startSpan } from "@sentry/react";
export { outcomeOf, REASONS } from "./outcomes";

/** What the browser's SDK runs with, for people to see. */
interface BrowserSettings {
  environment: string;
  release: string;
  errorSampleRate: number;
  tracesSampleRate: number;
  replaysOnErrorSampleRate: number;
  /** Where events go; empty means straight to Sentry. */
  tunnel: string;
}

const options = buildOptions(readVariables(env, read), environments[env.environment]);

export const settings: BrowserSettings = {
  environment: env.environment,
  release: env.release,
  errorSampleRate: options.sampleRate,
  tracesSampleRate: options.tracesSampleRate,
  replaysOnErrorSampleRate: options.replaysOnErrorSampleRate,
  tunnel: env.tunnel,
};

/** The trace that an event of this moment would carry. */
export const currentTraceId = () => getCurrentScope().getPropagationContext().traceId;

/** What the SDK is to know of the call that is being understood. */
interface Current {
  /** Seconds since 1970. */
  timestamp: number;
  url: string;
  hint: { event_id?: string; syntheticException: Error };
}

const limiter = new Limiter();
let tell: (sent?: Sent) => void = () => undefined;
let current: Current | undefined;

/** What the recorded calls mean. */
const verbs = {
  /** An uncaught error or unhandled rejection, for the SDK's own integration to read. */
  globalError(error: unknown, event: ErrorEvent | PromiseRejectionEvent) {
    if ("reason" in event) {
      triggerHandlers("unhandledrejection", event);
    } else {
      const { message: msg, filename: url, lineno: line, colno: column } = event;
      triggerHandlers("error", { msg, url, line, column, error });
    }
  },
  captureException(error: unknown, context: CaptureContext = {}) {
    captureException(error, { ...current?.hint, captureContext: context });
  },
  captureReactException(error: unknown, info: ErrorInfo, handled: boolean) {
    const mechanism = { handled, type: "auto.function.react.error_handler" };
    captureReactException(error, info, { ...current?.hint, mechanism });
  },
  captureMessage(text: string, level: Severity = "info") {
    getCurrentScope().captureMessage(text, level, current?.hint);
  },
  captureFeedback({ eventId: about, ...words }: Feedback) {
    captureFeedback({ ...words, associatedEventId: about ?? undefined }, current?.hint);
  },
  setUser(id: string | null) {
    setUser(id === null ? null : { id });
  },
  setTag(key: string, value: string | number | boolean) {
    setTag(key, value);
  },
  setContext(name: string, context: Record<string, unknown> | null) {
    setContext(name, context);
  },
  addBreadcrumb(message: string, category: string, data?: Record<string, unknown>) {
    addBreadcrumb({ message, category, data, timestamp: current?.timestamp });
  },
  provideRoutes,
  describeState,
  /** A span that began before the SDK was there and has ended. */
  pastSpan(name: string, op: string, startTime: number) {
    startInactiveSpan({ name, op, startTime }).end(current?.timestamp);
  },
};

export type Verbs = typeof verbs;

/** Does what a recorded call says, as of its moment. What the SDK cannot do costs the application nothing. */
export function run<V extends Verb>([verb, args, [time, url], event_id, caller]: Call<V>): void {
  const outer = current;
  // The first two frames are our own.
  const syntheticException = Object.assign(caller ?? new Error(), { framesToPop: 2 });
  current = { timestamp: time / 1000, url, hint: { event_id, syntheticException } };
  try {
    if (limiter.isSpent() && ERRORS.includes(verb)) {
      dropUnbuilt(event_id);
    } else {
      (verbs[verb] as (...args: Parameters<Verbs[V]>) => void)(...args);
    }
  } catch {
    getClient()?.recordDroppedEvent("internal_sdk_error", "error");
  }
  current = outer;
}

const ERRORS: readonly Verb[] = ["captureException", "captureReactException"];

/** Beyond the limit of all places not even the event is built: a storm would keep the page busy with it. */
function dropUnbuilt(event_id?: string): void {
  getClient()?.recordDroppedEvent("before_send", "error");
  tell(note({ event_id }, "limited"));
}

/** What describes the application holds from the beginning, whenever it was said. */
const isDescription = ([verb]: Call) => verb === "provideRoutes" || verb === "describeState";

/** Starts the SDK in the trace of this page visit with its calls so far, and tells what becomes of what is sent. */
export function start(page: typeof trace, tellPage: (sent?: Sent) => void, calls: Call[]): void {
  tell = tellPage;
  // The listeners of the inline script hear everything, and go on to do so; the SDK needs none of its own.
  if (window.earlyErrors) {
    maybeInstrument("error", () => undefined);
    maybeInstrument("unhandledrejection", () => undefined);
  }
  const client = new BrowserClient({
    ...options,
    stackParser: defaultStackParser,
    integrations: [],
    beforeSend: makeBeforeSend(limiter, (event, outcome) => tell(note(event, outcome))),
    transport: inTurn(scrubbing(makeStoringTransport)),
  });
  client.on("preprocessEvent", (event, hint) => {
    if (current && event.type !== "transaction") {
      event.timestamp = current.timestamp;
      event.request = { ...event.request, url: withoutQuery(current.url) };
    }
    if (hint?.originalException) {
      event.event_id ??= eventIdOf(hint.originalException);
    }
  });
  client.on("afterSendEvent", (event, { statusCode }) => {
    const outcome = outcomeOfAnswer(event, statusCode);
    if (!event.type || event.type === "feedback") {
      tell(note(event, outcome));
    }
  });
  getCurrentScope().setClient(client);
  client.init();
  integrate(client, page);
  offerReplay(client, options.replaysOnErrorSampleRate);
  const recorded = calls.splice(0);
  recorded.filter(isDescription).forEach(run);
  recorded.filter((call) => !isDescription(call)).forEach(run);
  tell();
}

/** What a browser lacks costs the integration that needs it, and neither another one nor what was recorded. */
function integrate(client: BrowserClient, page: typeof trace): void {
  for (const integration of integrationsOf(page)) {
    try {
      client.addIntegration(integration);
    } catch (error) {
      console.error(error);
    }
  }
}
