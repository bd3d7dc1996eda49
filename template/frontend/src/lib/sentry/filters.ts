import type { ErrorEvent } from "@sentry/react";
import { isMissingChunk } from "../chunks";

/** An error that nobody can or need act on. */
interface Filter {
  name: string;
  matches: (event: ErrorEvent, error: unknown) => boolean;
}

/** A member of what was thrown; undefined, too, if it cannot be read. */
function field(error: unknown, name: string): unknown {
  try {
    return typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined;
  } catch {
    return undefined;
  }
}

/** The status of an API error that the API itself has not reported; -1 for everything else. */
const unreportedStatus = (error: unknown) =>
  field(error, "name") === "ApiError" && field(error, "eventId") === null
    ? Number(field(error, "status"))
    : -1;

const thrown = (event: ErrorEvent) => event.exception?.values?.at(-1);

const says = (event: ErrorEvent, pattern: RegExp) =>
  pattern.test(thrown(event)?.value ?? event.message ?? "");

/** Frames of code, the innermost last; the SDK's own stand on top of all that it wraps, and tell nothing. */
const framesOf = (event: ErrorEvent) =>
  (thrown(event)?.stacktrace?.frames ?? []).filter(({ filename }) => filename !== import.meta.url);

/** Crawlers by the words that they name themselves with; a phone is called CUBOT. Not headless browsers: they run tests. */
const CRAWLER =
  /(?<!cu)bot\b|crawler|spider|slurp|facebookexternalhit|mediapartners-google|google-inspectiontool|bingpreview/i;

/** What `fetch` says in Chromium, Firefox and Safari when no answer came. */
const NO_ANSWER = /^(Failed to fetch|NetworkError when attempting|Load failed|cancelled$)/;

/** Requests that a navigation ends fail within moments; in milliseconds. */
const LEAVING = 5000;
let left = Number.NEGATIVE_INFINITY;
let chunkIsReported = false;

for (const type of ["beforeunload", "pagehide"]) {
  addEventListener(type, () => {
    left = performance.now();
  });
}

/** The first that matches drops the event. */
export const filters: readonly Filter[] = [
  // The API has sent it already and given its event id; twice would count it twice.
  {
    name: "reported by the API",
    matches: (_, error) => field(error, "name") === "ApiError" && field(error, "eventId") !== null,
  },
  // An answer from 400 to 499 is meant for the person. The API does not report it either.
  {
    name: "refused by the API",
    matches: (_, error) => unreportedStatus(error) >= 400 && unreportedStatus(error) < 500,
  },
  // Somebody's network or a deployment is in the way. Uptime is watched from outside.
  {
    name: "API out of reach",
    matches: (_, error) => [0, 502, 503, 504].includes(unreportedStatus(error)),
  },
  // The page itself cancels requests that it needs no more, for example on navigation.
  {
    name: "cancelled request",
    matches: (_, error) => field(error, "name") === "AbortError",
  },
  // The browser ends the requests of a page when the person goes elsewhere.
  {
    name: "request of a page that is left",
    matches: (event, error) =>
      field(error, "name") === "TypeError" &&
      performance.now() - left < LEAVING &&
      says(event, NO_ANSWER),
  },
  // Crawlers run pages in ways that no person does, and nobody waits for them.
  {
    name: "crawler",
    matches: () => CRAWLER.test(navigator.userAgent),
  },
  // Code of an extension runs in the page, and only its author can mend it.
  {
    name: "browser extension",
    matches: (event) =>
      /^([a-z-]+-extension|webkit-masked-url):/.test(framesOf(event).at(-1)?.filename ?? "") ||
      says(event, /^Extension context invalidated|runtime\.sendMessage\(\)/),
  },
  // Browsers inside of other applications put scripts of their own into every page.
  {
    name: "in-app browser",
    matches: (event) =>
      says(
        event,
        /_AutofillCallbackHandler|simulateEvent|^Java (object is gone|exception was raised)|non-configurable property "(ethereum|solana)"|^Can't find variable: gmo$/,
      ),
  },
  // The browser hides everything about errors of scripts from other sites.
  {
    name: "script without a name",
    matches: (event) => says(event, /^Script error\.?$/),
  },
  // Every line of it belongs to another site: neither built nor served with the page.
  {
    name: "third-party script",
    matches: (event) => {
      const frames = framesOf(event).filter(({ filename = "" }) => /^https?:/.test(filename));
      return (
        frames.length > 0 &&
        frames.every(
          ({ filename, module_metadata }) =>
            !module_metadata && !filename?.startsWith(`${location.origin}/`),
        )
      );
    },
  },
  // The browser says that it postponed a notification by one frame. Nothing is broken.
  {
    name: "resize observer",
    matches: (event) => says(event, /^ResizeObserver loop/),
  },
  // After a deployment each click finds another part gone; the first tells all.
  {
    name: "missing chunk again",
    matches: (_, error) => {
      const known = chunkIsReported;
      chunkIsReported ||= isMissingChunk(error);
      return known && isMissingChunk(error);
    },
  },
];

/** The name of the filter that drops this event, or undefined if it is to be sent. */
export function dropReason(event: ErrorEvent, error: unknown): string | undefined {
  return filters.find((filter) => filter.matches(event, error))?.name;
}
