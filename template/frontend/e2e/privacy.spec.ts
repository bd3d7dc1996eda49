import { BROWSER, expect, sendFeedback, test } from "./fixtures.ts";

/** Planted wherever the browser might pick something up; none of it may leave. */
const SECRETS = {
  query: "q-4f1b7c0e9d",
  fragment: "f-4f1b7c0e9d",
  password: "p-4f1b7c0e9d",
  jwt: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0ZjFiN2MwZTlkIn0.c2lnbmF0dXJl",
  console: "c-4f1b7c0e9d",
  label: "l-4f1b7c0e9d",
  cookie: "k-4f1b7c0e9d",
  argument: "a-4f1b7c0e9d",
  rejection: "r-4f1b7c0e9d",
  card: "4111 1111 1111 1111",
};

test("planted secrets are in no envelope", async ({ page, sink, complaints, context, baseURL }) => {
  complaints.expected.push(/./);
  await context.addCookies([{ name: "session", value: SECRETS.cookie, url: baseURL }]);
  await page.goto(`/?token=${SECRETS.query}&q=${SECRETS.query}#access_token=${SECRETS.fragment}`);
  await expect(page.getByRole("article").first()).toContainText("On");
  await page.evaluate((secrets) => {
    console.error("console", secrets.console, { value: secrets.console });
    const button = document.createElement("button");
    button.title = button.ariaLabel = button.textContent = secrets.label;
    button.dataset.value = secrets.label;
    document.body.append(button);
    button.click();
    history.pushState(null, "", `/?q=${secrets.query}#${secrets.fragment}`);
    // Tells the sink the trace that begins with this address.
    void fetch("/api/v1/sentry-debug");
    const fail = (_: string) => {
      const cause = new Error(`Authorization: Bearer ${secrets.jwt}`);
      throw new Error(`login failed with password=${secrets.password}`, { cause });
    };
    setTimeout(fail, 0, secrets.argument);
    setTimeout(() => Promise.reject({ password: secrets.rejection }));
  }, SECRETS);
  await sink.wait(BROWSER, "event", (event) => event.exception.values.length === 2);
  await sendFeedback(page, sink, `My card ${SECRETS.card} and my token: ${SECRETS.query}`);
  await page.goto("about:blank");
  await sink.wait(BROWSER, "transaction");

  const raw = (await sink.received()).map((envelope) => envelope.body).join("\n");
  expect(raw).toContain("login failed with password=[Filtered]");
  expect(raw).toContain("ui.click");
  for (const [place, secret] of Object.entries(SECRETS)) {
    expect(raw.includes(secret), `the secret planted in ${place} has left`).toBe(false);
  }
});

test("an envelope keeps what Sentry needs to sort it", async ({ page, sink, complaints }) => {
  complaints.expected.push(/broke on purpose/);
  await page.goto("/");
  await page.getByRole("button", { name: "Break the browser" }).click();
  const event = await sink.wait(BROWSER, "event");
  const headers = (await sink.received())
    .map((envelope) => JSON.parse(envelope.body.split("\n", 1)[0] ?? ""))
    .find(({ event_id }) => event_id === event.event_id);
  expect(headers.trace.public_key).toBe("sink");
  expect(event.request.headers["User-Agent"]).toContain("Chrome/");
  expect(event.request.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(event.user).toBeUndefined();
  expect(event.sdk.settings.infer_ip).toBe("never");
});

test("trace headers go to the own API and nowhere else", async ({ page, sink }) => {
  await page.goto("/");
  await expect(page.getByRole("article").first()).toContainText("On");
  const headersOf = async (url: string) => {
    const request = page.waitForRequest(url);
    await page.evaluate((target) => fetch(target).catch(() => undefined), url);
    return (await request).allHeaders();
  };
  const own = await headersOf(new URL("/api/v1/sentry-debug", page.url()).href);
  expect(own).toHaveProperty("sentry-trace");
  expect(own).toHaveProperty("baggage");
  for (const url of [`${process.env.SINK_URL}/api/v1/other`, new URL("/health", page.url()).href]) {
    const other = await headersOf(url);
    expect(other).not.toHaveProperty("sentry-trace");
    expect(other).not.toHaveProperty("baggage");
  }
  expect(await sink.items(BROWSER, "event")).toEqual([]);
});
