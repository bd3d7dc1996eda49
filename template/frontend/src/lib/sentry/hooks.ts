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

/** Drops what `filters` names, and dates the rest to the moment it happened. */
export function beforeSend(event: ErrorEvent, hint: EventHint): ErrorEvent | null {
  if (dropReason(event, hint.originalException)) {
    return null;
  }
  const moment: unknown = hint.data;
  if (isMoment(moment)) {
    event.timestamp = moment.timestamp;
    event.request = { ...event.request, url: moment.url };
  }
  return event;
}

/** Names what was clicked by structure; the SDK's own description quotes labels, titles and values. */
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
    const id = current.id ? `#${current.id}` : "";
    const classes = Array.from(current.classList, (name) => `.${name}`).join("");
    names.unshift(current.localName + id + classes);
    current = current.parentElement;
  }
  return names.join(" > ");
}
