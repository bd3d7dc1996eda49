import environments from "@contracts/environments.json";
import { describe, expect, it } from "vitest";
import { ENVIRONMENTS, type Variables } from "../../config/variables";
import { buildOptions } from "./options";

const variables: Variables = {
  dsn: "https://key@sentry.example.com/2",
  environment: "staging",
  release: "app@1.0.0",
  tracesSampleRate: undefined,
  replaysOnErrorSampleRate: undefined,
  tunnel: "/api/v1/tunnel",
  orgId: "",
  sensitiveKeys: [],
};

describe("buildOptions", () => {
  it.each(ENVIRONMENTS)("takes the rates of %s from the shared policy", (environment) => {
    const policy = environments[environment];
    const options = buildOptions({ ...variables, environment }, policy);
    expect(options.environment).toBe(environment);
    expect(options.sampleRate).toBe(policy.error_sample_rate);
    expect(options.tracesSampleRate).toBe(policy.traces_sample_rate);
    expect(options.replaysOnErrorSampleRate).toBe(policy.replays_on_error_sample_rate);
    expect(options.maxBreadcrumbs).toBe(policy.max_breadcrumbs);
  });

  it.each([0, 0.25])("lets the rate %d of the variables override the policy", (rate) => {
    const rates = { tracesSampleRate: rate, replaysOnErrorSampleRate: rate };
    const options = buildOptions({ ...variables, ...rates }, environments.staging);
    expect(options).toMatchObject(rates);
  });

  it("sets nothing that the build has ruled out in plugins/slim.ts", () => {
    const options = buildOptions(variables, environments.staging);
    expect(options.traceLifecycle).toBe("static");
    expect(options.tracesSampleRate).toEqual(expect.any(Number));
    expect(options).not.toHaveProperty("beforeSendSpan");
    expect(options).not.toHaveProperty("ignoreSpans");
  });

  it("has no release rather than an empty one", () => {
    const options = buildOptions({ ...variables, release: "" }, environments.staging);
    expect(options.release).toBeUndefined();
  });

  it("sends events through the tunnel unless there is none", () => {
    expect(buildOptions(variables, environments.staging).tunnel).toBe("/api/v1/tunnel");
    expect(buildOptions({ ...variables, tunnel: "" }, environments.staging).tunnel).toBeUndefined();
  });

  it("names the organization if it is known", () => {
    expect(buildOptions({ ...variables, orgId: "123" }, environments.staging)).toMatchObject({
      orgId: 123,
    });
    expect(buildOptions(variables, environments.staging)).not.toHaveProperty("orgId");
  });

  it("collects nothing but the user agent", () => {
    const { httpHeaders, frameContextLines, ...others } = buildOptions(
      variables,
      environments.staging,
    ).dataCollection;
    expect(httpHeaders).toEqual({ request: { allow: ["user-agent"] }, response: false });
    expect(frameContextLines).toBe(5);
    const settings = Object.values(others).flatMap((setting) =>
      typeof setting === "object" ? Object.values(setting) : [setting],
    );
    expect(settings.filter(Boolean)).toEqual([]);
  });

  it.each([
    ["/api/v1/things", true],
    ["/api/", true],
    ["/health", false],
    ["/apiary", false],
    ["https://other.example/api/v1", false],
  ])("sends trace headers to %s: %s", (target, expected) => {
    const { tracePropagationTargets } = buildOptions(variables, environments.staging);
    expect(tracePropagationTargets.some((pattern) => pattern.test(target))).toBe(expected);
  });
});
