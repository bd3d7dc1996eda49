import { describe, expect, it } from "vitest";
import { problemsOf, readVariables } from "./env";

describe("readVariables", () => {
  it("turns Sentry off and takes the fallback environment when nothing is set", () => {
    const nothing = {
      dsn: "",
      environment: "production",
      release: "",
      tracesSampleRate: undefined,
      tunnel: "/api/v1/tunnel",
      orgId: "",
      sensitiveKeys: [],
    };
    expect(readVariables({}, "production")).toEqual(nothing);
    const empty = {
      VITE_SENTRY_DSN: "",
      VITE_SENTRY_ENVIRONMENT: "",
      VITE_SENTRY_RELEASE: "",
      VITE_SENTRY_TRACES_SAMPLE_RATE: "",
    };
    expect(readVariables(empty, "production")).toEqual(nothing);
  });

  it("reads every variable", () => {
    const raw = {
      VITE_SENTRY_DSN: "https://key@sentry.example.com/2",
      VITE_SENTRY_ENVIRONMENT: "staging",
      VITE_SENTRY_RELEASE: "app@1.0.0+abc",
      VITE_SENTRY_TRACES_SAMPLE_RATE: "0.25",
      VITE_SENTRY_TUNNEL: "https://api.example.com/api/v1/tunnel",
      VITE_SENTRY_ORG_ID: "77",
      VITE_SENTRY_SENSITIVE_KEYS: "loyalty_number, badge,",
    };
    expect(readVariables(raw, "production")).toEqual({
      dsn: "https://key@sentry.example.com/2",
      environment: "staging",
      release: "app@1.0.0+abc",
      tracesSampleRate: 0.25,
      tunnel: "https://api.example.com/api/v1/tunnel",
      orgId: "77",
      sensitiveKeys: ["loyalty_number", "badge"],
    });
  });

  it("has no tunnel where the variable is empty, which is not the same as not set", () => {
    expect(readVariables({ VITE_SENTRY_TUNNEL: "" }, "production").tunnel).toBe("");
  });

  it("takes a rate of spaces for none", () => {
    const raw = { VITE_SENTRY_TRACES_SAMPLE_RATE: "  " };
    expect(readVariables(raw, "production").tracesSampleRate).toBeUndefined();
  });

  it("keeps a rate of zero, which is not the same as none", () => {
    const raw = { VITE_SENTRY_TRACES_SAMPLE_RATE: "0" };
    expect(readVariables(raw, "production").tracesSampleRate).toBe(0);
  });

  it("finds the organization in the host of the DSN", () => {
    const dsn = "https://key@o123.ingest.de.sentry.io/2";
    expect(readVariables({ VITE_SENTRY_DSN: dsn }, "production").orgId).toBe("123");
    expect(readVariables({ VITE_SENTRY_DSN: dsn, VITE_SENTRY_ORG_ID: "7" }, "staging").orgId).toBe(
      "7",
    );
  });
});

describe("problemsOf", () => {
  it.each(["0", "1", "0.5", "1e-3", "", " "])("accepts the rate %j", (rate) => {
    expect(problemsOf({ VITE_SENTRY_TRACES_SAMPLE_RATE: rate })).toEqual([]);
  });

  it.each(["1.5", "-0.1", "all", "NaN", "0,5"])("names the variable of the bad rate %s", (rate) => {
    expect(problemsOf({ VITE_SENTRY_TRACES_SAMPLE_RATE: rate })).toEqual([
      `VITE_SENTRY_TRACES_SAMPLE_RATE: ${rate} is not between 0 and 1`,
    ]);
  });

  it.each(["/api/v1/tunnel", "/t", "https://api.example.com/t", "http://localhost:8000/t", ""])(
    "accepts the tunnel %j",
    (tunnel) => {
      expect(problemsOf({ VITE_SENTRY_TUNNEL: tunnel })).toEqual([]);
    },
  );

  it.each([
    "api/v1/tunnel",
    "//evil.example/t",
    "/",
    "true",
    "https://",
    "https://hunter22@sentry.io/2",
    "javascript:alert(1)",
    "/a b",
  ])("refuses the tunnel %s without repeating it", (tunnel) => {
    expect(problemsOf({ VITE_SENTRY_TUNNEL: tunnel })).toEqual([
      "VITE_SENTRY_TUNNEL: neither a path like /api/v1/tunnel nor an address like https://api.example.com/api/v1/tunnel",
    ]);
  });

  it.each([
    "http://viewer@127.0.0.1:8969/2",
    "https://key:old@host/path/2",
    "https://key@[::1]:8969/2",
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

  it("lists all problems at once", () => {
    const raw = { VITE_SENTRY_ENVIRONMENT: "prod", VITE_SENTRY_TRACES_SAMPLE_RATE: "2" };
    expect(problemsOf(raw)).toEqual([
      "VITE_SENTRY_ENVIRONMENT: prod is not one of development, staging, production",
      "VITE_SENTRY_TRACES_SAMPLE_RATE: 2 is not between 0 and 1",
    ]);
  });
});
