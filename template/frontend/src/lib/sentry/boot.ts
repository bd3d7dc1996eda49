/**
 * The eager part: keeps what happens from the first line on, and fetches the SDK when the page is
 * idle or at the first error. It is paid for before first paint, so it stays tiny and imports types only.
 */
import { env } from "../../config/env";
import type { Moment } from "./hooks";

export type Sdk = typeof import("./sdk");

/** False with an empty DSN: then nothing is kept and the SDK is never fetched. */
export const enabled = env.dsn !== "";

/** Random hexadecimal digits as Sentry's ids have them: 32 for events and traces, 16 for spans. */
export function newId(digits: 16 | 32): string {
  const bytes = crypto.getRandomValues(new Uint8Array(digits / 2));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The trace of this page visit, fixed before the SDK is there so that early requests belong to it. */
export const page = { traceId: newId(32), spanId: newId(16), sampleRand: Math.random() };

/** The beginning of an error storm tells most of it; in entries. */
const KEPT = 100;
/** The SDK is fetched at the latest this long after the page has loaded; in milliseconds. */
const DEADLINE = 3000;
/** A chunk that does not load is asked for again after 2, 4, 8, 16 and 32 seconds. */
const ATTEMPTS = 5;

type Task = (sdk: Sdk) => void;
const kept: Task[] = [];
let sdk: Sdk | undefined;
let loading = false;
let failed = false;

/** What became of an error or a feedback. */
export interface Sent {
  kind: "error" | "feedback";
  eventId: string;
  traceId: string;
  /** Only what is accepted has arrived; refused is by the server, the rest by the hooks. */
  outcome: "accepted" | "refused" | "filtered" | "limited";
}

const outcomes = new Map<string, Sent["outcome"]>();
const listeners = new Set<(sent?: Sent) => void>();

/** Calls `listener` when the SDK is there or cannot be fetched, and with all that was sent or dropped. */
export function onChange(listener: (sent?: Sent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(sent?: Sent): void {
  if (sent) {
    outcomes.set(sent.eventId, sent.outcome);
    const [oldest] = outcomes.keys();
    if (oldest && outcomes.size > KEPT) {
      outcomes.delete(oldest);
    }
  }
  for (const listener of listeners) {
    listener(sent);
  }
}

/** Failed means: for now; the SDK is asked for again for about a minute. */
export const sdkState = () =>
  enabled ? (sdk ? "on" : failed ? "failed" : "starting") : ("off" as const);

/** What became of the event of this id; undefined as long as it is under way. */
export const outcomeOf = (eventId: string) =>
  outcomes.get(eventId) ?? (sdkState() === "failed" ? ("unloaded" as const) : undefined);

/** The SDK, once it is there. */
export const loadedSdk = () => sdk;

/** Runs `task` with the SDK: now, or in its turn once the SDK is there. Never when Sentry is off. */
export function withSdk(task: Task): void {
  if (sdk) {
    task(sdk);
  } else if (enabled && kept.length < KEPT) {
    kept.push(task);
  }
}

/** Like `withSdk`, for what is worth fetching the SDK now. */
export function urgently(task: Task): void {
  withSdk(task);
  if (enabled && !loading) {
    loading = true;
    void load(1);
  }
}

async function load(attempt: number): Promise<void> {
  const chunk = await import("./sdk").catch(() => undefined);
  if (!chunk) {
    failed = true;
    tell();
    if (attempt <= ATTEMPTS) {
      setTimeout(() => void load(attempt + 1), 1000 * 2 ** attempt);
    }
    return;
  }
  chunk.start(page, tell);
  // From here on the SDK's own handlers catch errors; ours would report them twice.
  removeEventListener("error", keepError);
  removeEventListener("unhandledrejection", keepRejection);
  sdk = chunk;
  for (const task of kept.splice(0)) {
    task(chunk);
  }
  tell();
}

const ids = new WeakMap<object, string>();

/** The event id of an error: the same one each time, so that a page can show it before it is sent. */
export function eventIdOf(error: unknown): string {
  if (typeof error !== "object" || error === null) {
    return newId(32);
  }
  const id = ids.get(error) ?? newId(32);
  ids.set(error, id);
  return id;
}

/** When and where something happens, for events that are sent later. */
export const thisMoment = (): Moment => ({ timestamp: Date.now() / 1000, url: location.href });

function keep(error: unknown, handler: string): void {
  const hint = {
    event_id: eventIdOf(error),
    mechanism: { handled: false, type: `auto.browser.global_handlers.${handler}` },
    data: thisMoment(),
  };
  urgently((chunk) => chunk.captureException(error, hint));
}

function keepError(event: ErrorEvent): void {
  keep(event.error ?? event.message, "onerror");
}

function keepRejection(event: PromiseRejectionEvent): void {
  keep(event.reason, "onunhandledrejection");
}

function loadWhenIdle(): void {
  const task = () => urgently(() => undefined);
  // Safari has no idle callback.
  if ("requestIdleCallback" in window) {
    requestIdleCallback(task, { timeout: DEADLINE });
  } else {
    setTimeout(task, 1);
  }
}

if (enabled) {
  // The depth that the SDK asks for, needed before the SDK is there to ask.
  Object.assign(Error, { stackTraceLimit: 50 });
  addEventListener("error", keepError);
  addEventListener("unhandledrejection", keepRejection);
  if (document.readyState === "complete") {
    loadWhenIdle();
  } else {
    addEventListener("load", loadWhenIdle, { once: true });
  }
}
