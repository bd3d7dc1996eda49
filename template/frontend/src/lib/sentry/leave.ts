/** What leaves with a page that goes away before the SDK is there. Reached through `boot` only, as a small chunk. */
import { env } from "../../config/env";
import { type Call, calls, trace } from "./boot";

/** Events that leave one page: the limiter is not there to tell a storm. */
const MOST_EVENTS = 10;

/** Frames of an event, as many as the SDK keeps, and characters of a line that may be one. */
const MOST_FRAMES = 50;
const LONGEST_LINE = 1000;

/** Chromium writes name and message, and below them `    at f (address:1:2)`. */
const HEAD = /^[^\s:]*(?:: )?/;
const FRAME_BELOW = /^ {4}at (?:.* )?\(?(https?:\S*):(\d{1,7}):(\d{1,7})\)?$/;

/** Firefox and Safari write nothing but `f@address:1:2`, some without `f@`. */
const BARE = /^(?:[^\s:@]*(?: code)?@|https?:)/;
const BARE_FRAME = /^(?:[^\s:@]*(?: code)?@)?(https?:\S*):(\d{1,7}):(\d{1,7})$/;

interface Frame {
  filename: string;
  lineno: number;
  colno: number;
}

/**
 * The places of a stack in scripts of the page's own origin, the innermost last as Sentry has them. A line of the
 * message may look like one: when the stack does not say where the message ends, there are no places.
 */
function framesOf(stack: string, message: string): Frame[] {
  const head = `${HEAD.exec(stack)?.[0]}${message}\n`;
  const isBelow = stack.startsWith(head);
  if (!isBelow && !BARE.test(stack)) {
    return [];
  }
  const lines = stack.slice(isBelow ? head.length : 0).split("\n");
  const saidLines = new Set(message.split("\n"));
  const frames: Frame[] = [];
  for (const line of lines) {
    if (line.length <= LONGEST_LINE && !saidLines.has(line) && frames.length < MOST_FRAMES) {
      const [, address = "", lineno, colno] = (isBelow ? FRAME_BELOW : BARE_FRAME).exec(line) ?? [];
      const [filename = ""] = address.split(/[?#]/);
      if (filename.startsWith(`${location.origin}/`) && /\.m?js$/.test(filename)) {
        frames.unshift({ filename, lineno: Number(lineno), colno: Number(colno) });
      }
    }
  }
  return frames;
}

/** Where something was thrown, or captured if it has no stack of its own: our own two frames are no place of it. */
function placesOf(verb: Call[0], thrown: Partial<Error>, caller?: Error): Frame[] {
  if (typeof thrown.stack === "string") {
    return framesOf(thrown.stack, `${thrown.message}`);
  }
  return caller?.stack && verb !== "globalError"
    ? framesOf(caller.stack, caller.message).slice(0, -2)
    : [];
}

/** The API has reported errors with an event id itself, and nobody reports what was given up on purpose. */
const isFiltered = ({ name, eventId }: { name?: unknown; eventId?: unknown }) =>
  name === "AbortError" || Boolean(eventId);

/** Of each error what it was and where, never a text, because the scrubber is not there. Says whether it leaves. */
function sendBare([verb, [error], [time], event_id, caller]: Call): boolean {
  const thrown: Partial<Error> = Object(error);
  if (isFiltered(thrown)) {
    return false;
  }
  const { dsn, environment, release } = env;
  const event = {
    event_id,
    environment,
    release: release || undefined,
    timestamp: time / 1000,
    platform: "javascript",
    contexts: { trace },
    exception: {
      values: [
        {
          type: /^[A-Z]\w*$/.test(`${thrown.name}`) ? `${thrown.name}` : "Error",
          value: "[Filtered:unload]",
          mechanism: { type: verb, handled: verb !== "globalError" },
          stacktrace: { frames: placesOf(verb, thrown, caller) },
        },
      ],
    },
  };
  return navigator.sendBeacon(
    env.tunnel ||
      env.dsn.replace(/(\w+)(?::\w*)?@(.+\/)(\d+)$/, "$2api/$3/envelope/?sentry_key=$1"),
    [{ dsn, event_id }, { type: "event" }, event].map((line) => JSON.stringify(line)).join("\n"),
  );
}

/** Ids of the events that have left: an error may be both captured and uncaught. */
const left = new Set<string>();

/** Whether the event of a call has left, now or before. What cannot be sent stays for the SDK, if the page comes back. */
function leaves(call: Call): boolean {
  const [verb, , , eventId] = call;
  if (!eventId || verb === "captureFeedback") {
    return false;
  }
  try {
    if (!left.has(eventId) && left.size < MOST_EVENTS && sendBare(call)) {
      left.add(eventId);
    }
  } catch {
    // An odd error, or a browser without beacons.
  }
  return left.has(eventId);
}

addEventListener("pagehide", () => {
  // The list itself is the SDK's, which may be on its way.
  calls.push(...calls.splice(0).filter((call) => !leaves(call)));
});
