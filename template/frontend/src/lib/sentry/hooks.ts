/**
 * The `before_*` callbacks: only what needs the hint, which the transport does not have any more.
 * Redaction is the transport's. A hook that throws makes the SDK drop what it was given.
 */
import type { Breadcrumb, BreadcrumbHint, ErrorEvent, EventHint } from "@sentry/react";
import { notedRequests } from "./api";
import { dropReason } from "./filters";
import { withoutQuery } from "./quotes";
import { routeOf } from "./routes";
import { stateShapes } from "./state";
import { structureOf } from "./structure";

/** Events a minute from one place, the same as in the API's limiter. */
const BURST = 10;
/** Events a minute from all places; half of what the offline store holds. */
const TOTAL = 50;
const WINDOW = 60;
/** Events of one visit, however long the page stays open. */
const VISIT = 300;

/**
 * Drops the excess, so that an error in a loop cannot use up the quota: a few events a minute from each place, some more
 * from all of them, and no more than so many of a visit.
 */
export class Limiter {
  readonly #places = new Map<string, number>();
  #start = 0;
  #minute = 0;
  #visit = 0;

  /** Whether no place may send any more at `now`, in seconds. */
  isSpent(now = performance.now() / 1000): boolean {
    if (now - this.#start >= WINDOW) {
      this.#start = now;
      this.#minute = 0;
      this.#places.clear();
    }
    return this.#minute >= TOTAL || this.#visit >= VISIT;
  }

  /** Counts an event of `place` at `now`, in seconds, and says whether it may be sent. */
  allows(place: string, now = performance.now() / 1000): boolean {
    const isSpent = this.isSpent(now);
    const sent = this.#places.get(place) ?? 0;
    if (isSpent || sent >= BURST) {
      return false;
    }
    this.#places.set(place, sent + 1);
    this.#minute += 1;
    this.#visit += 1;
    return true;
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

/**
 * Returns `beforeSend`, which drops noise and excess, and what cannot be judged, says so, and describes the page to the
 * rest.
 */
export function makeBeforeSend(
  limiter: Limiter,
  onDropped: (event: ErrorEvent, outcome: "filtered" | "limited") => void,
) {
  return (event: ErrorEvent, hint: EventHint): ErrorEvent | null => {
    let outcome: "filtered" | "limited" = "filtered";
    try {
      if (dropReason(event, hint.originalException) === undefined) {
        outcome = "limited";
        if (limiter.allows(placeOf(event))) {
          return described(event);
        }
      }
    } catch {
      outcome = "filtered";
    }
    onDropped(event, outcome);
    return null;
  };
}

/** The event with the name of its page and the shapes of the application's state. */
function described(event: ErrorEvent): ErrorEvent {
  event.transaction = routeOf(event.request?.url ?? location.href);
  const state = stateShapes();
  return Object.keys(state).length > 0
    ? { ...event, contexts: { ...event.contexts, state_shapes: state } }
    : event;
}

/** Field names that one breadcrumb lists. */
const MAX_FIELDS = 20;

/**
 * Names what was clicked or filled in by structure, and addresses by route; the SDK's own breadcrumbs quote ids, labels,
 * titles, values and addresses.
 */
export function beforeBreadcrumb(crumb: Breadcrumb, hint?: BreadcrumbHint): Breadcrumb | null {
  const { category = "", data } = crumb;
  if (category.startsWith("ui.")) {
    const target: unknown = hint?.event?.target;
    const message = target instanceof Element ? structureOf(target) : "unknown element";
    const fields = category === "ui.submit" ? { fields: fieldsOf(target) } : undefined;
    return { ...crumb, message, data: fields };
  }
  if (category === "navigation" && data) {
    return { ...crumb, data: { from: routeOf(`${data.from}`), to: routeOf(`${data.to}`) } };
  }
  if (category === "api") {
    return { ...crumb, type: "http" };
  }
  if (category === "fetch" || category === "xhr") {
    const [request] = Array.isArray(hint?.input) ? hint.input : [];
    return request instanceof Request && notedRequests.has(request)
      ? null
      : { ...crumb, data: { ...data, url: withoutQuery(`${data?.url}`) } };
  }
  return crumb;
}

/** The names of the fields of a form, without those that have none; never their values. */
function fieldsOf(form: unknown): string[] {
  const elements = form instanceof HTMLFormElement ? Array.from(form.elements) : [];
  const names = elements.map((element) => element.getAttribute("name") ?? "").filter(Boolean);
  return [...new Set(names)].slice(0, MAX_FIELDS);
}
