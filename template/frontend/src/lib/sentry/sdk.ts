/** The lazy part: the SDK, started. Reached through `boot` only, as one chunk. */

import environments from "@contracts/environments.json";
import {
  browserTracingIntegration,
  type Event,
  getCurrentScope,
  init,
  makeFetchTransport,
} from "@sentry/react";
import { env } from "../../config/env";
import type { Sent } from "./boot";
import { Limiter, makeBeforeSend } from "./hooks";
import { buildOptions } from "./options";
import { scrubbing } from "./transport";

export {
  addBreadcrumb,
  captureException,
  captureFeedback,
  captureReactException,
  getCurrentScope,
  setContext,
  setTag,
  setUser,
  startSpan,
} from "@sentry/react";

/** What the browser's SDK runs with, for people to see. */
export interface BrowserSettings {
  environment: string;
  release: string;
  errorSampleRate: number;
  tracesSampleRate: number;
  /** Where events go; empty means straight to Sentry. */
  tunnel: string;
}

/** Integrations that the SDK has by default and that are left out. */
const UNWANTED = [
  // Its breadcrumbs are the arguments of console calls: any data, and nothing else.
  "Console",
  // It sends the arguments of callbacks, and puts itself on top of every stack. Global handlers catch the same errors.
  "BrowserApiErrors",
  // It is for conversations with language models.
  "ConversationId",
  // It drops what equals the event before, silently and for ever; the limiter drops the excess, and says so.
  "Dedupe",
];

const options = buildOptions(env, environments[env.environment]);

export const settings: BrowserSettings = {
  environment: env.environment,
  release: env.release,
  errorSampleRate: options.sampleRate,
  tracesSampleRate: options.tracesSampleRate,
  tunnel: env.tunnel,
};

/** The trace that an event of this moment would carry. */
export const currentTraceId = () => getCurrentScope().getPropagationContext().traceId;

/** Starts the SDK in the trace of this page visit, and tells what becomes of errors and feedback. */
export function start(
  page: { traceId: string; sampleRand: number },
  tell: (sent: Sent) => void,
): void {
  const client = init({
    ...options,
    beforeSend: makeBeforeSend(new Limiter(), (event, outcome) => tell(describe(event, outcome))),
    transport: scrubbing(makeFetchTransport),
    integrations: (defaults) => [
      ...defaults.filter(({ name }) => !UNWANTED.includes(name)),
      browserTracingIntegration({
        beforeStartSpan: (span) => {
          if (span.op === "pageload") {
            getCurrentScope().setPropagationContext(page);
          }
          return span;
        },
      }),
    ],
  });
  client?.on("afterSendEvent", (event, { statusCode = 0 }) => {
    if (!event.type || event.type === "feedback") {
      tell(describe(event, statusCode >= 200 && statusCode < 300 ? "accepted" : "refused"));
    }
  });
}

const describe = (event: Event, outcome: Sent["outcome"]): Sent => ({
  kind: event.type === "feedback" ? "feedback" : "error",
  eventId: event.event_id ?? "",
  traceId: event.contexts?.trace?.trace_id ?? "",
  outcome,
});
