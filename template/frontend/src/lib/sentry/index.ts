/** The public names. Nothing outside this folder imports a Sentry package; a lint rule sees to it. */
export {
  addBreadcrumb,
  browserSettings,
  captureException,
  captureFeedback,
  captureMessage,
  currentTraceId,
  describeState,
  notedRequests,
  onSent,
  provideRoutes,
  rootErrorHandlers,
  setContext,
  setTag,
  setUser,
  startSpan,
  traceHeaders,
  whyEventNotSent,
  whyNotSent,
} from "./api";
export { enabled, eventIdOf, onChange, sdkState } from "./boot";
