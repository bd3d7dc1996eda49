/** What `npm run size` builds in place of `src/lib/sentry`: the same names, and nothing behind them. */
type Sentry = typeof import("../src/lib/sentry");

/** Nothing that the bundler could foresee: it would leave out what the application does with the answers. */
const nothing = () => location.hash as never;

export {
  nothing as addBreadcrumb,
  nothing as browserSettings,
  nothing as captureException,
  nothing as captureFeedback,
  nothing as captureMessage,
  nothing as currentTraceId,
  nothing as describeState,
  nothing as eventIdOf,
  nothing as onChange,
  nothing as onSent,
  nothing as provideRoutes,
  nothing as sdkState,
  nothing as setContext,
  nothing as setTag,
  nothing as setUser,
  nothing as startSpan,
  nothing as traceHeaders,
  nothing as whyEventNotSent,
  nothing as whyNotSent,
};
export const enabled: Sentry["enabled"] = nothing();
export const notedRequests: Sentry["notedRequests"] = new WeakSet();
export const rootErrorHandlers: Sentry["rootErrorHandlers"] = nothing();

// Does not compile when a name is missing.
({}) as typeof import("./without-sentry") satisfies Sentry;
