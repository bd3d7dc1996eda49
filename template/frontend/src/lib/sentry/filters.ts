import type { ErrorEvent } from "@sentry/react";

/** An error that nobody can or need act on. */
interface Filter {
  name: string;
  reason: string;
  matches: (event: ErrorEvent, error: unknown) => boolean;
}

const field = (error: unknown, name: string): unknown =>
  typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined;

const message = (event: ErrorEvent) =>
  event.exception?.values?.at(-1)?.value ?? event.message ?? "";

const files = (event: ErrorEvent) =>
  event.exception?.values?.flatMap((value) =>
    (value.stacktrace?.frames ?? []).map((frame) => frame.filename ?? ""),
  ) ?? [];

/** The first that matches drops the event. */
export const filters: readonly Filter[] = [
  {
    name: "reported by the API",
    reason: "The API has sent it already and given its event id; twice would count it twice.",
    matches: (_, error) => field(error, "name") === "ApiError" && field(error, "eventId") !== null,
  },
  {
    name: "cancelled request",
    reason: "The page itself cancels requests that it needs no more, for example on navigation.",
    matches: (_, error) => field(error, "name") === "AbortError",
  },
  {
    name: "browser extension",
    reason: "Code of an extension runs in the page, and only its author can mend it.",
    matches: (event) => files(event).some((file) => /^[a-z-]+-extension:\/\//.test(file)),
  },
  {
    name: "resize observer",
    reason: "The browser says that it postponed a notification by one frame. Nothing is broken.",
    matches: (event) => message(event).startsWith("ResizeObserver loop"),
  },
];

/** The name of the filter that drops this event, or undefined if it is to be sent. */
export function dropReason(event: ErrorEvent, error: unknown): string | undefined {
  return filters.find((filter) => filter.matches(event, error))?.name;
}
