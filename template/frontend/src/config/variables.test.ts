import { describe, expect, it } from "vitest";
import { problemsOf, readVariables, type VariableName } from "./variables";

const KNOWN = {
  dsn: "https://key@sentry.example.com/2",
  environment: "staging",
  release: "app@1.0.0+abc",
  tunnel: "",
  orgId: "",
} as const;

const readFrom = (raw: Partial<Record<VariableName, string>>) =>
  readVariables(KNOWN, (name) => raw[name] ?? "");

const RATES = [
  "VITE_SENTRY_TRACES_SAMPLE_RATE",
  "VITE_SENTRY_REPLAYS_ON_ERROR_SAMPLE_RATE",
] as const;

describe("readVariables", () => {
  it("keeps what is known and leaves rates to the policy where none is set", () => {
    expect(readFrom({})).toEqual({
      ...KNOWN,
      tracesSampleRate: undefined,
      replaysOnErrorSampleRate: undefined,
      sensitiveKeys: [],
    });
  });

  it("reads rates and the project's own keys", () => {
    const raw = {
      VITE_SENTRY_TRACES_SAMPLE_RATE: "0.25",
      VITE_SENTRY_REPLAYS_ON_ERROR_SAMPLE_RATE: "0",
      SENTRY_SENSITIVE_KEYS: "loyalty_number, badge,",
    };
    expect(readFrom(raw)).toEqual({
      ...KNOWN,
      tracesSampleRate: 0.25,
      replaysOnErrorSampleRate: 0,
      sensitiveKeys: ["loyalty_number", "badge"],
    });
  });

  it("takes a rate of spaces for none", () => {
    expect(readFrom({ VITE_SENTRY_TRACES_SAMPLE_RATE: "  " }).tracesSampleRate).toBeUndefined();
  });
});

describe("problemsOf", () => {
  describe.each(RATES)("%s", (name) => {
    it.each(["0", "1", "1.0", "0.5", ".5", "1e-3", " 0.25 ", "", " "])("accepts %j", (rate) => {
      expect(problemsOf({ [name]: rate })).toEqual([]);
    });

    it.each([
      ["1.5", "1.5"],
      ["-0.1", "-0.1"],
      ["all", "all"],
      ["NaN", "NaN"],
      ["0,5", "0,5"],
      ["1e3", "1e3"],
      ["0x1", "0x1"],
      ["0.5\n", "the value"],
      ["https://hunter22@sentry.io/2", "the value"],
    ])("refuses %j", (rate, shown) => {
      expect(problemsOf({ [name]: rate })).toEqual([
        `${name}: ${shown} is not a number between 0 and 1`,
      ]);
    });
  });

  it.each([
    "/api/v1/tunnel",
    "/t",
    "https://api.example.com/t",
    "http://localhost:8000/t",
    "https://h?t",
    "https://h",
    "",
  ])("accepts the tunnel %j", (tunnel) => {
    expect(problemsOf({ VITE_SENTRY_TUNNEL: tunnel })).toEqual([]);
  });

  it.each([
    "api/v1/tunnel",
    "//evil.example/t",
    "/",
    "true",
    "https://",
    "https://hunter22@sentry.io/2",
    "javascript:alert(1)",
    "/a b",
    '/"><script>',
    "/\\evil.example/t",
    "https://api.example.com:65536/t",
    "https://[::1/t",
    "https://300.1.1.1/t",
    "/t\n",
  ])("refuses the tunnel %s without repeating it", (tunnel) => {
    expect(problemsOf({ VITE_SENTRY_TUNNEL: tunnel })).toEqual([
      "VITE_SENTRY_TUNNEL: neither a path like /api/v1/tunnel nor an address like https://api.example.com/api/v1/tunnel",
    ]);
  });

  it.each([
    "http://viewer@127.0.0.1:8969/2",
    "https://key:old@host/path/2",
    "https://key@[::1]:8969/2",
    "https://key@host:65535/2",
    "",
  ])("accepts the DSN %j", (dsn) => {
    expect(problemsOf({ VITE_SENTRY_DSN: dsn })).toEqual([]);
  });

  it.each([
    "sentry.io/2",
    "https://sentry.io/2",
    "https://hunter22@sentry.io/",
    "ftp://hunter22@host/2",
    "https://hunter22@host/2?x",
    "https://hunter-22@host/2",
    'https://hunter22@host"><b>/2',
    "https://hunter22@host;/2",
    "https://hunter22@host:0/2",
    "https://hunter22@host:65536/2",
    "https://hunter22@host:90000/2",
    "https://hunter22@host:/2",
    "https://hunter22@[::1/2",
    "https://hunter22@::1]/2",
    "https://hunter22@[:::]/2",
    "https://hunter22@300.1.1.1/2",
    "https://hunter22@host/a|b/2",
    "https://hunter22@host/2\n",
  ])("refuses the DSN %s without repeating it", (dsn) => {
    const problems = problemsOf({ VITE_SENTRY_DSN: dsn });
    expect(problems).toEqual([
      "VITE_SENTRY_DSN: not a DSN like https://<key>@<host>/<project number>",
    ]);
  });

  it.each(["1", "12345678901234567890", ""])("accepts the organization %j", (orgId) => {
    expect(problemsOf({ SENTRY_ORG_ID: orgId })).toEqual([]);
  });

  it.each([
    ["acme", "acme"],
    ["123456789012345678901", "the value"],
    [" 7", "the value"],
    ["sntrys_hunter22=", "the value"],
  ])("refuses the organization %j", (orgId, shown) => {
    expect(problemsOf({ SENTRY_ORG_ID: orgId })).toEqual([
      `SENTRY_ORG_ID: ${shown} is not the number of an organization in Sentry`,
    ]);
  });

  it.each([
    "loyalty_number",
    " Loyalty Number , x-badge.2,",
    "ab",
    `a${"b".repeat(63)}`,
    "",
    " , ",
  ])("accepts the sensitive keys %j", (keys) => {
    expect(problemsOf({ SENTRY_SENSITIVE_KEYS: keys })).toEqual([]);
  });

  it.each([
    ["plan,=x", "the value"],
    ["badge,7up", "7up"],
    ["a", "a"],
    [`a${"b".repeat(64)}`, "the value"],
    ["one;two", "the value"],
    ["größe", "the value"],
    ["_id", "_id"],
  ])("refuses the sensitive keys %j", (keys, shown) => {
    expect(problemsOf({ SENTRY_SENSITIVE_KEYS: keys })).toEqual([
      `SENTRY_SENSITIVE_KEYS: ${shown} is not a name like customer_number`,
    ]);
  });

  it("does not repeat an environment that looks unlike one", () => {
    expect(problemsOf({ VITE_SENTRY_ENVIRONMENT: "https://hunter22@sentry.io/2" })).toEqual([
      "VITE_SENTRY_ENVIRONMENT: the value is not one of development, staging, production",
    ]);
  });

  it("lists all problems at once", () => {
    const raw = { VITE_SENTRY_ENVIRONMENT: "prod", VITE_SENTRY_TRACES_SAMPLE_RATE: "2" };
    expect(problemsOf(raw)).toEqual([
      "VITE_SENTRY_ENVIRONMENT: prod is not one of development, staging, production",
      "VITE_SENTRY_TRACES_SAMPLE_RATE: 2 is not a number between 0 and 1",
    ]);
  });
});
