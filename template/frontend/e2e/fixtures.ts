import { test as base, expect, type Page, type Request, type Response } from "@playwright/test";
import type { Payload, Received } from "./sink.ts";

export const API = 1;
export const BROWSER = 2;

/** What arrived at the sink from the visits of one test; other tests may still have something on its way. */
class Sink {
  readonly #traces = new Set<string>();
  readonly #underWay = new Set<Request>();

  /** Learns the traces of the visits from the requests of the page, and which envelopes are under way. */
  watch(page: Page): void {
    page.on("request", (request) => {
      const trace = request.headers()["sentry-trace"]?.split("-")[0];
      if (trace) {
        this.#traces.add(trace);
      }
      if (/\/(tunnel|envelope\/)$/.test(new URL(request.url()).pathname)) {
        this.#underWay.add(request);
        // Not every page asks the API, and each navigation begins a trace of its own.
        for (const [, id = ""] of (request.postData() ?? "").matchAll(/"trace_id":"(\w{32})"/g)) {
          this.#traces.add(id);
        }
      }
    });
    page.on("requestfinished", (request) => this.#underWay.delete(request));
    page.on("requestfailed", (request) => this.#underWay.delete(request));
    // Of the requests of a page that was left, nobody tells the end. Other navigations stay in their page.
    page.on("domcontentloaded", () => this.#underWay.clear());
  }

  /** Waits until every envelope that the page has begun to send has arrived: they overtake each other. */
  async settled(): Promise<void> {
    await expect.poll(() => this.#underWay.size, "envelopes under way").toBe(0);
  }

  /** Everything that came since the tests began. */
  async received(): Promise<Received[]> {
    return (await fetch(`${process.env.SINK_URL}/received`)).json();
  }

  /** The payloads of one type of item that a project got from this test so far, in the order in which they happened. */
  async items(project: number, type: string): Promise<Payload[]> {
    const envelopes = (await this.received()).filter((envelope) => envelope.project === project);
    return envelopes
      .flatMap((envelope) => envelope.items)
      .filter((item) => item.header.type === type)
      .map((item) => JSON.parse(item.text))
      .filter(({ contexts, trace_id: id }) => this.#traces.has(contexts?.trace.trace_id ?? id))
      .sort((one, other) => momentOf(one) - momentOf(other));
  }

  /** Waits for an item of this type that matches, and returns it. */
  async wait(project: number, type: string, matches = (_: Payload) => true): Promise<Payload> {
    const find = async () => (await this.items(project, type)).find(matches);
    await expect.poll(find, `${type} of project ${project}`).toBeDefined();
    return find();
  }
}

/** In seconds since 1970; the API writes it as text. */
const momentOf = ({ timestamp }: Payload): number =>
  typeof timestamp === "string" ? Date.parse(timestamp) / 1000 : (timestamp ?? 0);

/** What the browser prints and throws; a test fails when there is more than it expects. */
class Complaints {
  readonly expected: RegExp[] = [];
  /** What the page's Content-Security-Policy has stopped; never expected by a pattern that expects anything. */
  readonly violations: string[] = [];
  readonly #seen: string[] = [];

  watch(page: Page): void {
    page.on("pageerror", (error) => this.#seen.push(error.message));
    page.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text())) {
        this.violations.push(message.text());
      } else if (message.type() === "error" || message.type() === "warning") {
        this.#seen.push(message.text());
      }
    });
  }

  unexpected(): string[] {
    return this.#seen.filter((text) => !this.expected.some((pattern) => pattern.test(text)));
  }
}

interface Fixtures {
  sink: Sink;
  complaints: Complaints;
  /** Whether page and API have a DSN, whether the page sends its events straight to it, or to an API without. */
  sentry: "on" | "off" | "direct" | "lost";
}

export const test = base.extend<Fixtures>({
  sentry: ["on", { option: true }],
  baseURL: ({ sentry }, use) => use(process.env[`PAGE_URL_${sentry.toUpperCase()}`]),
  // Automatic, because it has to watch before a "beforeEach" opens the page.
  sink: [
    async ({ page }, use) => {
      const sink = new Sink();
      sink.watch(page);
      await use(sink);
    },
    { auto: true },
  ],
  complaints: [
    async ({ page }, use) => {
      const complaints = new Complaints();
      complaints.watch(page);
      await use(complaints);
      expect(complaints.unexpected()).toEqual([]);
      expect(complaints.violations).toEqual([]);
    },
    { auto: true },
  ],
});

/** The browser's events so far, in the order in which they happened. */
export async function eventsOf(sink: Sink): Promise<Payload[]> {
  await sink.settled();
  return sink.items(BROWSER, "event");
}

/** Keeps the SDK's chunk from arriving until the returned function is called. */
export const holdSdk = (page: Page) => hold(page, "**/assets/sdk-*.js");

/** Keeps requests to an address from being answered until the returned function is called. */
export async function hold(page: Page, address: string): Promise<() => void> {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(address, async (route) => {
    await released;
    await route.continue();
  });
  return release;
}

/** Waits until a chunk that the page asks for has not only come but run. */
export async function hasRun(page: Page, chunk: Promise<Response>): Promise<void> {
  const url = JSON.stringify((await chunk).url());
  await page.evaluate(`import(${url}).then(() => undefined)`);
}

/** Sends a feedback and waits until it and whatever was sent before it has arrived. */
export async function sendFeedback(page: Page, sink: Sink, message = "A last word"): Promise<void> {
  await page.getByRole("button", { name: "Send feedback" }).click();
  await page.getByLabel("What happened?").fill(message);
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("button", { name: "Close" }).click();
  await sink.wait(BROWSER, "feedback");
  await sink.settled();
}

export { expect, type Sink };
