import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { setVariables } from "../../test-setup";

const DSN = "https://key@sentry.example.com/2";
const SCRIPT = `${location.origin}/assets/index-B1.js`;

/** What the browser was given to send, and what it says to it. */
let beacons: [address: string, body: string][];
let accepts: (count: number) => boolean;
let forget: () => void;

beforeEach(() => {
  vi.resetModules();
  beacons = [];
  accepts = () => true;
  Reflect.set(navigator, "sendBeacon", (address: string, body: string) => {
    beacons.push([address, body]);
    return accepts(beacons.length);
  });
  // The SDK comes in no test, and the listeners go with it.
  vi.doMock("./sdk", () => new Promise(() => undefined));
  const listening = vi.spyOn(window, "addEventListener");
  forget = () => {
    for (const [type, listener] of listening.mock.calls) {
      window.removeEventListener(type, listener as EventListener);
    }
    listening.mockRestore();
  };
});

afterEach(() => {
  forget();
  Reflect.deleteProperty(navigator, "sendBeacon");
});

async function importSentry(dsn = DSN) {
  setVariables({ VITE_SENTRY_DSN: dsn, VITE_SENTRY_ENVIRONMENT: "production" });
  const sentry = await import("./index");
  const { calls } = await import("./boot");
  await import("./leave");
  return { ...sentry, calls };
}

const leave = () => window.dispatchEvent(new Event("pagehide"));

const events = () => beacons.map(([, body]) => JSON.parse(body.split("\n")[2] ?? ""));

const framesOf = (index = 0) => events()[index].exception.values[0].stacktrace.frames;

const withStack = (message: string, stack: string) =>
  Object.assign(new TypeError(message), { stack });

const place = (lineno: number, colno: number) => ({ filename: SCRIPT, lineno, colno });

describe("where events go", () => {
  it.each([
    ["https://key@sentry.example.com/2", "https://sentry.example.com/api/2/envelope/"],
    ["https://key:old@sentry.example.com/2", "https://sentry.example.com/api/2/envelope/"],
    ["https://key:@127.0.0.1:9000/2", "https://127.0.0.1:9000/api/2/envelope/"],
    ["https://key@[::1]:9000/a/b/2", "https://[::1]:9000/a/b/api/2/envelope/"],
  ])("of the DSN %s", async (dsn, address) => {
    const { captureException } = await importSentry(dsn);
    captureException(new Error("x"));
    leave();
    expect(beacons.map(([to]) => to)).toEqual([`${address}?sentry_key=key`]);
  });
});

describe("which calls leave", () => {
  it("each event once, and none again", async () => {
    const { captureException, calls } = await importSentry();
    const error = new Error("twice");
    captureException(error);
    captureException(error);
    leave();
    captureException(error);
    leave();
    expect(beacons).toHaveLength(1);
    expect(calls).toEqual([]);
  });

  it("ten of a storm; the others wait for the page to come back", async () => {
    const { captureException, calls } = await importSentry();
    for (let round = 0; round < 30; round++) {
      captureException(new Error(`round ${round}`));
    }
    leave();
    leave();
    expect(beacons).toHaveLength(10);
    expect(calls).toHaveLength(20);
  });

  it("no cancelled request, nothing that the API has reported, no words of a person", async () => {
    const { captureException, captureFeedback, setTag } = await importSentry();
    setTag("plan", "free");
    captureException(new DOMException("gone", "AbortError"));
    captureException(Object.assign(new Error("reported"), { eventId: "a".repeat(32) }));
    captureException(Object.assign(new Error("not reported"), { eventId: null }));
    captureFeedback({ message: "It broke" });
    leave();
    expect(beacons).toHaveLength(1);
  });

  it("not those that the browser refuses; they stay in their order", async () => {
    const { captureMessage, calls } = await importSentry();
    accepts = (count) => count === 2;
    for (const text of ["one", "two", "three"]) {
      captureMessage(text);
    }
    leave();
    expect(calls.map(({ 1: [text] }) => text)).toEqual(["one", "three"]);
  });

  it("none where there are no beacons", async () => {
    const { captureMessage, calls } = await importSentry();
    Reflect.set(navigator, "sendBeacon", undefined);
    captureMessage("one");
    leave();
    expect(calls).toHaveLength(1);
  });

  it("those behind an error that cannot be read", async () => {
    const { captureException } = await importSentry();
    const odd = Object.defineProperty(new Error("odd"), "name", {
      get() {
        throw new Error("no name");
      },
    });
    captureException(odd);
    captureException(new RangeError("behind"));
    leave();
    expect(events().map(({ exception }) => exception.values[0].type)).toEqual(["RangeError"]);
  });
});

describe("what leaves of a stack", () => {
  const CHROMIUM = [
    `    at f (${SCRIPT}?v=secret:1:2)`,
    `    at async Object.g [as h] (${SCRIPT}#secret:3:4)`,
    `    at ${SCRIPT}:5:6`,
    "    at secret (https://elsewhere.example/secret.js:1:2)",
    `    at ${location.origin}/secret:1:2`,
    `    at eval (eval at secret (${SCRIPT}:7:8), <anonymous>:1:1)`,
    "    at new Promise (<anonymous>)",
  ].join("\n");

  it("of Chromium the places in scripts of the page's origin", async () => {
    const { captureException } = await importSentry();
    captureException(withStack("secret", `TypeError: secret\n${CHROMIUM}`));
    captureException(withStack("", `TypeError\n${CHROMIUM}`));
    captureException(withStack("secret\nsecret", `TypeError: secret\nsecret\n${CHROMIUM}`));
    leave();
    const expected = [place(5, 6), place(3, 4), place(1, 2)];
    expect([framesOf(0), framesOf(1), framesOf(2)]).toEqual([expected, expected, expected]);
  });

  it("of Firefox and Safari, too", async () => {
    const { captureException } = await importSentry();
    const stack = [
      `f@${SCRIPT}?v=secret:1:2`,
      "forEach@[native code]",
      `${SCRIPT}:3:4`,
      `module code@${SCRIPT}:5:6`,
      `@${SCRIPT}:7:8`,
      `secret@${SCRIPT} line 9 > eval:1:1`,
    ].join("\n");
    captureException(withStack("secret", stack));
    leave();
    expect(framesOf()).toEqual([place(7, 8), place(5, 6), place(3, 4), place(1, 2)]);
  });

  it("nothing of our own: what is thrown without a stack has no place, and what is captured so the caller's", async () => {
    const { captureException, calls } = await importSentry();
    captureException("in plain words");
    const [, , , , caller] = calls[0] ?? [];
    const ours = [1, 2].map((line) => `    at own (${SCRIPT}:${line}:1)`);
    Object.assign(caller ?? {}, { stack: ["Error", ...ours, CHROMIUM].join("\n") });
    const { report } = await import("./boot");
    report("globalError", ["in plain words", new ErrorEvent("error")]);
    leave();
    expect([framesOf(0), framesOf(1)]).toEqual([[place(5, 6), place(3, 4), place(1, 2)], []]);
    expect(Object.keys(events()[0])).not.toContain("dsn");
  });

  const said = `    at secret (${location.origin}/secret.js:41:42)`;
  const bare = `secret@${location.origin}/secret.js:41:42`;
  const real = `    at f (${SCRIPT}:1:2)`;

  it.each([
    ["the message looks like frames", said, `TypeError: ${said}\n${real}`],
    ["lines of it do", `x\n${said}\n${bare}`, `TypeError: x\n${said}\n${bare}\n${real}`],
    ["the message was changed", "other", `TypeError: x\n${said}\n${real}`],
    ["it was emptied", "", `TypeError: x\n${said}\n${real}`],
    ["it is said twice", `x\n${said}`, `TypeError: x\n${said}\n${real}\nCause: x\n${said}`],
    ["there is no name", bare, `${bare}\n${real}`],
    ["it is all that there is", said, said],
    ["the name is odd", `x\n${said}`, `My odd: name: x\n${said}\n${real}`],
    ["a line break ends it", `${said}\n`, `TypeError: ${said}\n\n${real}`],
  ])("nothing of the message when %s", async (_, message, stack) => {
    const { captureException } = await importSentry();
    captureException(withStack(message, stack));
    leave();
    expect(beacons).toHaveLength(1);
    expect(beacons.join()).not.toMatch(/secret|other|"lineno":41/);
  });

  it.each([
    ["places in one line", "https://h/a.js:1".repeat(6000)],
    ["spaces", `    at ${" ".repeat(100_000)}`],
    ["digits", `    at (https://h/a.js:${"1".repeat(100_000)}`],
    ["lines", `${real}\n`.repeat(10_000)],
  ])("no more than fifty places of 100 kB of %s", async (_, text) => {
    const { captureException } = await importSentry();
    captureException(withStack("x", `TypeError: x\n${text}`));
    leave();
    expect(framesOf().length).toBeLessThanOrEqual(50);
    expect(beacons.join().length).toBeLessThan(10_000);
  });
});
