/**
 * The eager part: keeps what happens from the first line on, and fetches the SDK when the page is idle or at the first
 * error. It is paid for before first paint, so it stays tiny and imports types only: it records calls, and the SDK
 * gives them their meaning.
 */
import { env } from "../../config/env";
import type { Sent } from "./outcomes";
import type { Verbs } from "./sdk";

/** When, in milliseconds since 1970, and where something happened; the SDK would put the moment at which it is told. */
type Moment = [time: number, url: string];

/** What `early.js` keeps. */
type EarlyError = [event: ErrorEvent | PromiseRejectionEvent, ...Moment];

declare global {
  interface Window {
    /** Absent where a policy has stopped the inline script: then the SDK catches errors, once it is there. */
    earlyErrors?: {
      push(error: EarlyError): unknown;
      splice(start: number): EarlyError[];
    };
  }
}

export type Verb = keyof Verbs;

/** A call of a verb, to be understood by the SDK. What is to be sent has an event id, and the stack of the call. */
export type Call<V extends Verb = Verb> = [
  verb: V,
  args: Parameters<Verbs[V]>,
  moment: Moment,
  eventId?: string,
  caller?: Error,
];

/** False with an empty DSN: then nothing is kept and the SDK is never fetched. */
export const enabled = env.dsn !== "";

/** Random hexadecimal digits as Sentry's ids have them: 32 for events and traces, 16 for spans. */
function newId(digits: 16 | 32): string {
  const bytes = crypto.getRandomValues(new Uint8Array(digits));
  return bytes.reduce((text, byte) => text + (byte % 16).toString(16), "");
}

/** The trace of this page visit, fixed before the SDK is there so that early requests belong to it. */
export const trace = { trace_id: newId(32), span_id: newId(16), sample_rand: Math.random() };

/** Calls of each verb that are kept. */
const KEPT = 100;

/** What the SDK has still to be told. */
export const calls: Call[] = [];
const ids = new WeakMap<object, string>();
const listeners = new Set<(sent?: Sent) => void>();

/** The SDK, once it is there. */
export let sdk: typeof import("./sdk") | undefined;

let wanted = !enabled;
/** Failed attempts so far, and the next one while it waits. */
let failures = 0;
let retry: ReturnType<typeof setTimeout> | 0 = 0;

/** Failed means: for now; the SDK is asked for again, ever more seldom, and when the browser is back online. */
export const sdkState = () =>
  enabled ? (sdk ? "on" : failures ? "failed" : "starting") : ("off" as const);

/** Calls `listener` when the SDK is there or cannot be fetched, and with all that was sent or dropped. */
export function onChange(listener: (sent?: Sent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(sent?: Sent): void {
  for (const listener of listeners) {
    try {
      listener(sent);
    } catch (error) {
      // As an event it would be told of in its turn, without end.
      console.error(error);
    }
  }
}

/** The event id of an error: the same one each time, so that a page can show it before it is sent. */
export function eventIdOf(error: unknown): string {
  // What is no object gets an object, and an id, of its own each time.
  const key: object = Object(error);
  const id = ids.get(key) ?? newId(32);
  ids.set(key, id);
  return id;
}

const thisMoment = (): Moment => [Date.now(), location.href];

/** Has the SDK do this: now, or in its turn once it is there. Of too many calls it keeps the newest. */
export function record<V extends Verb>(verb: V, args: Parameters<Verbs[V]>): void {
  keep([verb, args, thisMoment()]);
}

/**
 * The same for what is to be sent, and therefore worth fetching the SDK now; returns the event id. Of too many calls
 * it keeps the first: the beginning of a storm tells most of it.
 */
export function report<V extends Verb>(
  verb: V,
  args: Parameters<Verbs[V]>,
  moment = thisMoment(),
): string | null {
  const eventId = eventIdOf(args[0]);
  keep([verb, args, moment, eventId, new Error()]);
  fetchSdk();
  return enabled ? eventId : null;
}

function keep(call: Call): void {
  if (sdk) {
    sdk.run(call);
  } else if (enabled) {
    const same = calls.filter(([verb]) => verb === call[0]);
    if (same.length < KEPT || (!call[3] && calls.splice(calls.indexOf(same[0] as Call), 1))) {
      calls.push(call);
    }
  }
}

function fetchSdk(): void {
  if (!wanted) {
    wanted = true;
    load();
    fetchLeave();
  }
}

/** For a page that goes away before the SDK is there. Without it what is kept is lost, and nothing else. */
function fetchLeave(): void {
  import("./leave").catch(() => undefined);
}

/** Until it succeeds: again after 2, 4, 8 … 256, 256 … seconds, and whenever the browser is back online. */
function load(): void {
  clearTimeout(retry);
  retry = 0;
  import("./sdk").then(
    // In a task of its own: to evaluate the chunk is long enough.
    (chunk) =>
      setTimeout(() => {
        sdk = chunk;
        sdk.start(trace, tell, calls);
      }),
    () => {
      retry = setTimeout(load, 1000 * 2 ** Math.min(++failures, 8));
      tell();
    },
  );
}

/** At the latest 3 seconds after the page has loaded. */
function fetchWhenIdle(): void {
  fetchLeave();
  // Safari has no idle callback, and takes what is no number for no delay.
  const ask = (window.requestIdleCallback ?? setTimeout) as typeof requestIdleCallback;
  ask(fetchSdk, { timeout: 3000 });
}

function keepError([event, ...moment]: EarlyError): void {
  const { reason, error = reason } = event as Partial<ErrorEvent & PromiseRejectionEvent>;
  report("globalError", [error, event], moment);
}

const early = window.earlyErrors ?? ([] as EarlyError[]);
early.splice(0).forEach(keepError);
early.push = keepError;
if (enabled) {
  addEventListener("online", () => retry && load());
  addEventListener("load", fetchWhenIdle);
  // A picture that never comes keeps a page from loading.
  setTimeout(fetchSdk, 5000);
}
