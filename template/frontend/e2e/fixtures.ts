import { test as base, expect, type Page } from "@playwright/test";
import type { Received } from "./stack.ts";

// biome-ignore lint/suspicious/noExplicitAny: Sentry's payloads, of which each test looks at a few fields.
type Payload = any;

export const API = 1;
export const BROWSER = 2;

/** What arrived at the sink from the visits of one test; other tests may still have something on its way. */
class Sink {
  readonly #traces = new Set<string>();

  /** Learns the traces of the visits from the requests of the page. */
  watch(page: Page): void {
    page.on("request", (request) => {
      const trace = request.headers()["sentry-trace"]?.split("-")[0];
      if (trace) {
        this.#traces.add(trace);
      }
    });
  }

  /** Everything that came since the tests began. */
  async received(): Promise<Received[]> {
    return (await fetch(`${process.env.SINK_URL}/received`)).json();
  }

  /** The payloads of one type of item that a project got from this test so far. */
  async items(project: number, type: string): Promise<Payload[]> {
    const envelopes = (await this.received()).filter((envelope) => envelope.project === project);
    return envelopes
      .flatMap((envelope) => payloads(envelope.body, type))
      .filter((payload) => this.#traces.has(payload.contexts?.trace.trace_id));
  }

  /** Waits for an item of this type that matches, and returns it. */
  async wait(project: number, type: string, matches = (_: Payload) => true): Promise<Payload> {
    const find = async () => (await this.items(project, type)).find(matches);
    await expect.poll(find, `${type} of project ${project}`).toBeDefined();
    return find();
  }
}

/** The payloads of one type in an envelope: a line of headers, then two lines for each item. */
function payloads(envelope: string, type: string): Payload[] {
  const lines = envelope
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return lines.filter(
    (_, index) => index >= 2 && index % 2 === 0 && lines[index - 1].type === type,
  );
}

/** What the browser prints and throws; a test fails when there is more than it expects. */
class Complaints {
  readonly expected: RegExp[] = [];
  readonly #seen: string[] = [];

  watch(page: Page): void {
    page.on("pageerror", (error) => this.#seen.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
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
    },
    { auto: true },
  ],
});

/** Sends a feedback and waits for it: whatever was to be sent before it has arrived, too. */
export async function sendFeedback(page: Page, sink: Sink, message = "A last word"): Promise<void> {
  await page.getByRole("button", { name: "Send feedback" }).click();
  await page.getByLabel("What happened?").fill(message);
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("button", { name: "Close" }).click();
  await sink.wait(BROWSER, "feedback");
}

export { expect, type Sink };
