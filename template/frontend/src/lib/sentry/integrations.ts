/** Which of the SDK's integrations run: named one by one, because what is not named is not fetched either. */
import project from "@contracts/project.json";
import type { Integration } from "@sentry/core";
import {
  addBreadcrumb,
  breadcrumbsIntegration,
  browserSessionIntegration,
  browserTracingIntegration,
  functionToStringIntegration,
  getCurrentScope,
  globalHandlersIntegration,
  httpContextIntegration,
  linkedErrorsIntegration,
  thirdPartyErrorFilterIntegration,
} from "@sentry/react";
import type { trace } from "./boot";
import { routeIntegration } from "./routes";

/** Notes which forms are sent; the SDK does not. */
const formIntegration = (): Integration => ({
  name: "Forms",
  setup: () =>
    addEventListener(
      "submit",
      (event) => addBreadcrumb({ category: "ui.submit" }, { event }),
      true,
    ),
});

/**
 * The integrations of a page visit with this trace. Of the SDK's default ones some are left out: "Console" sends the
 * arguments of console calls: any data, and nothing else. "BrowserApiErrors" sends the arguments of callbacks, and
 * puts itself on top of every stack; global handlers catch the same errors. "ConversationId" is for conversations with
 * language models. "Dedupe" drops what equals the event before, silently and for ever; the limiter drops the excess,
 * and says so. "EventFilters" drops silently, too; `filters.ts` has its rules.
 * "CultureContext" tells language and time zone of the person.
 */
export const integrationsOf = (page: typeof trace): Integration[] => [
  functionToStringIntegration(),
  breadcrumbsIntegration(),
  formIntegration(),
  globalHandlersIntegration(),
  linkedErrorsIntegration(),
  httpContextIntegration(),
  browserSessionIntegration(),
  // Marks the frames of the application; a filter drops what has none.
  thirdPartyErrorFilterIntegration({
    filterKeys: [project.slug],
    behaviour: "apply-tag-if-exclusively-contains-third-party-frames",
  }),
  // Ahead of the spans that it names.
  routeIntegration(),
  browserTracingIntegration({
    beforeStartSpan: (span) => {
      if (span.op !== "pageload") {
        return span;
      }
      const { trace_id: traceId, span_id: spanId, sample_rand: sampleRand } = page;
      getCurrentScope().setPropagationContext({ traceId, sampleRand });
      // Requests from before the SDK have named it as their parent.
      return Object.assign(span, { spanId });
    },
  }),
];
