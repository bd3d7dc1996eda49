import { describe, expect, it } from "vitest";
import { problemsOf, readVariables } from "./env";

describe("readVariables", () => {
  it("turns Sentry off and takes the fallback environment when nothing is set", () => {
    const nothing = {
      dsn: "",
      environment: "production",
      release: "",
      tracesSampleRate: undefined,
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
    };
    expect(readVariables(raw, "production")).toEqual({
      dsn: "https://key@sentry.example.com/2",
      environment: "staging",
      release: "app@1.0.0+abc",
      tracesSampleRate: 0.25,
    });
  });

  it("takes a rate of spaces for none", () => {
    const raw = { VITE_SENTRY_TRACES_SAMPLE_RATE: "  " };
    expect(readVariables(raw, "production").tracesSampleRate).toBeUndefined();
  });

  it("keeps a rate of zero, which is not the same as none", () => {
    const raw = { VITE_SENTRY_TRACES_SAMPLE_RATE: "0" };
    expect(readVariables(raw, "production").tracesSampleRate).toBe(0);
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

  it("lists all problems at once", () => {
    const raw = { VITE_SENTRY_ENVIRONMENT: "prod", VITE_SENTRY_TRACES_SAMPLE_RATE: "2" };
    expect(problemsOf(raw)).toEqual([
      "VITE_SENTRY_ENVIRONMENT: prod is not one of development, staging, production",
      "VITE_SENTRY_TRACES_SAMPLE_RATE: 2 is not between 0 and 1",
    ]);
  });
});
