import { describe, expect, it } from "vitest";
import { parseVariables } from "./env";

const DSN = "https://key@sentry.example.com/2";

describe("parseVariables", () => {
  it("turns Sentry off and takes the fallback environment when nothing is set", () => {
    expect(parseVariables({}, "production")).toEqual({
      dsn: "",
      environment: "production",
      release: "",
      tracesSampleRate: undefined,
    });
  });

  it("reads every variable, without the blanks around it", () => {
    const raw = {
      VITE_SENTRY_DSN: ` ${DSN} `,
      VITE_SENTRY_ENVIRONMENT: "staging",
      VITE_SENTRY_RELEASE: "app@1.0.0+abc",
      VITE_SENTRY_TRACES_SAMPLE_RATE: "0.25",
    };
    expect(parseVariables(raw, "production")).toEqual({
      dsn: DSN,
      environment: "staging",
      release: "app@1.0.0+abc",
      tracesSampleRate: 0.25,
    });
  });

  it.each(["0", "1", "0.5", "1e-3"])("accepts the rate %s", (rate) => {
    const { tracesSampleRate } = parseVariables(
      { VITE_SENTRY_TRACES_SAMPLE_RATE: rate },
      "production",
    );
    expect(tracesSampleRate).toBe(Number(rate));
  });

  it.each(["1.5", "-0.1", "all", "NaN", "0,5"])("names the variable of the bad rate %s", (rate) => {
    expect(() => parseVariables({ VITE_SENTRY_TRACES_SAMPLE_RATE: rate }, "production")).toThrow(
      `VITE_SENTRY_TRACES_SAMPLE_RATE: ${rate} is not between 0 and 1`,
    );
  });

  it.each([
    "http://viewer@127.0.0.1:8969/2",
    "https://key:old@host/path/2",
    "https://key@[::1]:8969/2",
  ])("accepts the DSN %s", (dsn) => {
    expect(parseVariables({ VITE_SENTRY_DSN: dsn }, "production").dsn).toBe(dsn);
  });

  it.each([
    "sentry.io/2",
    "https://sentry.io/2",
    "https://hunter22@sentry.io/",
    "ftp://hunter22@h/2",
  ])("refuses the DSN %s without repeating it", (dsn) => {
    const parse = () => parseVariables({ VITE_SENTRY_DSN: dsn }, "production");
    expect(parse).toThrow("VITE_SENTRY_DSN: not a DSN");
    expect(parse).not.toThrow("hunter22");
  });

  it("lists all problems at once, a line for each", () => {
    const raw = { VITE_SENTRY_ENVIRONMENT: "prod", VITE_SENTRY_TRACES_SAMPLE_RATE: "2" };
    expect(() => parseVariables(raw, "production")).toThrow(
      "VITE_SENTRY_ENVIRONMENT: prod is not one of development, staging, production\n" +
        "VITE_SENTRY_TRACES_SAMPLE_RATE: 2 is not between 0 and 1",
    );
  });
});
