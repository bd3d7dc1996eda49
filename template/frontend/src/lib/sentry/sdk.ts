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

/** An error or a feedback that has left, or failed to. */
export interface Sent {
  kind: "error" | "feedback";
  eventId: string;
  traceId: string;
  /** Whether the server accepted it. */
  accepted: boolean;
}

/** What the browser's SDK runs with, for people to see. */
export interface BrowserSettings {
  environment: string;
  release: string;
  errorSampleRate: number;
  tracesSampleRate: number;
}

/** Integrations that the SDK has by default and that are left out. */
const UNWANTED = [
  // Its breadcrumbs are the arguments of console calls: any data, and nothing else.
  "Console",
  // It sends the arguments of callbacks, and puts itself on top of every stack. Global handlers catch the same errors.
  "BrowserApiErrors",
  // It is for conversations with language models.
  "ConversationId",
];

const options = buildOptions(env, environments[env.environment]);
const listeners = new Set<(sent: Sent) => void>();

/** Tells `listener` about each error and feedback after the server has answered. */
export function onSent(listener: (sent: Sent) => void): void {
  listeners.add(listener);
}

export const settings: BrowserSettings = {
  environment: env.environment,
  release: env.release,
  errorSampleRate: options.sampleRate,
  tracesSampleRate: options.tracesSampleRate,
};

/** The trace that an event of this moment would carry. */
export const currentTraceId = () => getCurrentScope().getPropagationContext().traceId;

/** Starts the SDK in the trace that `boot` has given this page visit. */
export function start(page: { traceId: string; sampleRand: number }): void {
  const client = init({
    ...options,
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
  client?.on("afterSendEvent", (event, response) => tell(event, response.statusCode));
}

function tell(event: Event, status: number | undefined): void {
  const kind = event.type === "feedback" ? "feedback" : "error";
  if (event.type && kind === "error") {
    return;
  }
  const sent: Sent = {
    kind,
    eventId: event.event_id ?? "",
    traceId: event.contexts?.trace?.trace_id ?? "",
    accepted: status !== undefined && status >= 200 && status < 300,
  };
  for (const listener of listeners) {
    listener(sent);
  }
}
