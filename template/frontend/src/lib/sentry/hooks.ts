/**
 * The `before_*` callbacks: only what needs the hint, which the transport does not have any more.
 * Redaction is the transport's. A hook that throws makes the SDK drop what it was given.
 */
import type { Breadcrumb, BreadcrumbHint, ErrorEvent, EventHint } from "@sentry/react";
import { dropReason } from "./filters";

/** When and where an error happened; the SDK would put the moment at which it was handed over. */
export interface Moment {
  /** Seconds since 1970. */
  timestamp: number;
  url: string;
}

const isMoment = (data: unknown): data is Moment =>
  typeof data === "object" && data !== null && "timestamp" in data && "url" in data;

/** Events a minute from one place, the same as in the API's limiter. */
const BURST = 10;
const WINDOW = 60;
/** A page has fewer places than a server, and its memory is somebody else's. */
const MAX_PLACES = 100;

/** Drops the excess, so that an error in a loop cannot use up the quota: a few events a minute from each place. */
export class Limiter {
  readonly #windows = new Map<string, { start: number; sent: number }>();

  /** Counts an event of `place` at `now`, in seconds, and says whether it may be sent. */
  allows(place: string, now = performance.now() / 1000): boolean {
    let window = this.#windows.get(place);
    if (!window || now - window.start >= WINDOW) {
      window = { start: now, sent: 0 };
    }
    // The place seen longest ago comes first, and is forgotten first.
    this.#windows.delete(place);
    this.#windows.set(place, window);
    const [oldest] = this.#windows.keys();
    if (oldest !== undefined && this.#windows.size > MAX_PLACES) {
      this.#windows.delete(oldest);
    }
    window.sent += 1;
    return window.sent <= BURST;
  }
}

/** What happened at which line: texts may differ in each round of a loop, places do not. */
function placeOf(event: ErrorEvent): string {
  const exception = event.exception?.values?.at(-1);
  const frame = exception?.stacktrace?.frames?.at(-1);
  const place = frame
    ? [frame.filename, frame.lineno, frame.colno]
    : [exception?.value ?? event.message];
  return [exception?.type, ...place].join(" ").slice(0, 500);
}

/** Returns `beforeSend`, which drops noise and excess and says so, and dates the rest to the moment it happened. */
export function makeBeforeSend(
  limiter: Limiter,
  onDropped: (event: ErrorEvent, outcome: "filtered" | "limited") => void,
) {
  return (event: ErrorEvent, hint: EventHint): ErrorEvent | null => {
    const isNoise = dropReason(event, hint.originalException) !== undefined;
    if (isNoise || !limiter.allows(placeOf(event))) {
      onDropped(event, isNoise ? "filtered" : "limited");
      return null;
    }
    const moment: unknown = hint.data;
    if (isMoment(moment)) {
      event.timestamp = moment.timestamp;
      event.request = { ...event.request, url: moment.url };
    }
    return event;
  };
}

/** Names what was clicked by structure; the SDK's own description quotes ids, labels, titles and values. */
export function beforeBreadcrumb(crumb: Breadcrumb, hint?: BreadcrumbHint): Breadcrumb | null {
  if (!crumb.category?.startsWith("ui.")) {
    return crumb;
  }
  const target: unknown = hint?.event?.target;
  return { ...crumb, message: target instanceof Element ? structureOf(target) : "unknown element" };
}

function structureOf(element: Element): string {
  const names: string[] = [];
  let current: Element | null = element;
  while (current && current !== document.body && names.length < 4) {
    const classes = Array.from(current.classList, (name) => `.${name}`).join("");
    names.unshift(current.localName + classes);
    current = current.parentElement;
  }
  return names.join(" > ");
}
