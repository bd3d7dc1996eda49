import { beforeEach, expect, it, vi } from "vitest";
import { setVariables } from "../test-setup";
import { TUNNEL } from "./variables";

beforeEach(() => {
  vi.resetModules();
});

const importEnv = async () => (await import("./env")).env;

it("is off in a page without variables", async () => {
  expect(await importEnv()).toMatchObject({ dsn: "", environment: "", tunnel: "", orgId: "" });
});

it("reads the variables of the page, and the release of the build", async () => {
  setVariables({
    VITE_SENTRY_DSN: "https://key@sentry.example.com/2",
    VITE_SENTRY_ENVIRONMENT: "staging",
    VITE_SENTRY_TUNNEL: TUNNEL,
    SENTRY_ORG_ID: "77",
  });
  expect(await importEnv()).toEqual({
    dsn: "https://key@sentry.example.com/2",
    environment: "staging",
    release: import.meta.env.VITE_SENTRY_RELEASE,
    tunnel: TUNNEL,
    orgId: "77",
  });
});

it.each([
  ["", "123"],
  ["7", "7"],
])(
  "takes the organization from the host of the DSN when its number is %j",
  async (given, expected) => {
    setVariables({
      VITE_SENTRY_DSN: "https://key@o123.ingest.de.sentry.io/2",
      SENTRY_ORG_ID: given,
    });
    expect((await importEnv()).orgId).toBe(expected);
  },
);

it("takes the first of two tags, which is the one that the build has written", async () => {
  setVariables({ VITE_SENTRY_DSN: "https://key@sentry.example.com/2" });
  setVariables({ VITE_SENTRY_DSN: "https://key@evil.example/2" });
  expect((await importEnv()).dsn).toBe("https://key@sentry.example.com/2");
});
