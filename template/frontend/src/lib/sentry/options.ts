import type { BrowserOptions } from "@sentry/react";
import type { Variables } from "../../config/variables";
import { beforeBreadcrumb } from "./hooks";

/** One row of `contracts/environments.json`, as far as the browser is concerned. Rates are 0 to 1. */
export interface Policy {
  error_sample_rate: number;
  traces_sample_rate: number;
  replays_on_error_sample_rate: number;
  max_breadcrumbs: number;
}

/**
 * The SDK's options for a page with these variables. Pure.
 * https://docs.sentry.io/platforms/javascript/guides/react/configuration/options/
 */
export function buildOptions(variables: Variables, policy: Policy) {
  return {
    dsn: variables.dsn,
    environment: variables.environment,
    release: variables.release || undefined,
    tunnel: variables.tunnel || undefined,
    sampleRate: policy.error_sample_rate,
    tracesSampleRate: variables.tracesSampleRate ?? policy.traces_sample_rate,
    // Decided when the SDK starts, for all errors of a visit.
    replaysOnErrorSampleRate:
      variables.replaysOnErrorSampleRate ?? policy.replays_on_error_sample_rate,
    // Transactions are understood by every server; streamed spans need Sentry 26.4 or newer.
    traceLifecycle: "static",
    // Trace headers go to the own API and nowhere else; the pattern is matched against same-origin paths.
    tracePropagationTargets: [/^\/api\//],
    maxBreadcrumbs: policy.max_breadcrumbs,
    // Outside development the API continues traces of its own organization only.
    ...(variables.orgId && { orgId: Number(variables.orgId) }),
    // Every field is set, because the defaults collect everything.
    dataCollection: {
      userInfo: false,
      cookies: false,
      // Sentry names the browser from it, and it says nothing about the person.
      httpHeaders: { request: { allow: ["user-agent"] }, response: false },
      httpBodies: [],
      urlQueryParams: false,
      graphQL: { document: false, variables: false },
      genAI: { inputs: false, outputs: false },
      mcp: { inputs: false, outputs: false },
      databaseQueryData: false,
      queues: false,
      stackFrameVariables: false,
      frameContextLines: 5,
    },
    beforeBreadcrumb,
  } satisfies BrowserOptions;
}
