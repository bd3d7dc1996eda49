/** What a page has when somebody follows the SDK's own instructions: the default settings, traces and replay. */
import * as Sentry from "@sentry/react";
import { plant } from "./canaries.ts";

export function start(dsn: string): void {
  Sentry.init({
    dsn,
    integrations: [Sentry.browserTracingIntegration(), Sentry.replayIntegration()],
    tracesSampleRate: 1,
    replaysOnErrorSampleRate: 1,
  });
}

export const plantAll = () =>
  plant({
    addBreadcrumb: (message, category, data) => Sentry.addBreadcrumb({ message, category, data }),
    captureException: (error, context = {}) => Sentry.captureException(error, context),
    captureFeedback: ({ message }) => Sentry.captureFeedback({ message }),
    captureMessage: (text) => Sentry.captureMessage(text),
    setContext: Sentry.setContext,
    setTag: Sentry.setTag,
    setUser: (id) => Sentry.setUser(id === null ? null : { id }),
    startSpan: (name, op, work) => Sentry.startSpan({ name, op }, work),
  });
