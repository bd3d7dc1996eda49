/** What the diagnostics page asks of the API, and what its buttons do. */
import { ApiError, api, bodyOf } from "../../lib/api/client";
import { enabled } from "../../lib/sentry";
import { type Entry, record } from "./sent";

/** Long enough to stand out among other requests; in seconds. */
const SLOW = 2;

export const backendSettings = (signal: AbortSignal) =>
  bodyOf(api.GET("/api/v1/sentry-debug", { signal }));

/** Says that it went nowhere; what is sent is listed when Sentry has answered. */
function noteWhenOff(kind: Entry["kind"]): void {
  if (!enabled) {
    record({ kind, state: "Not sent", note: "Sentry is off in the browser." });
  }
}

export const noteBrowserError = () => noteWhenOff("Browser error");
export const noteFeedback = () => noteWhenOff("Feedback");

export async function askBackendToBreak(): Promise<void> {
  await api.GET("/api/v1/sentry-test/error").catch(recordFailure("Backend error"));
}

export async function askBackendToWait(): Promise<void> {
  const query = { seconds: SLOW };
  await bodyOf(api.GET("/api/v1/sentry-test/slow", { params: { query } })).then(
    ({ seconds, trace_id: traceId }) =>
      record({
        kind: "Slow request",
        state: "Answered",
        note: `After ${seconds} seconds.`,
        traceId,
      }),
    recordFailure("Slow request"),
  );
}

/** Lists an API error with the event that the API has sent about it; any other error is ours. */
function recordFailure(kind: Entry["kind"]) {
  return (error: unknown) => {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    const { eventId, traceId, message } = error;
    record({ kind, state: eventId ? "Sent" : "Not sent", note: message, eventId, traceId });
  };
}
