/**
 * Leaves out of a build what the SDK can do and this application never asks of it: the SDK asks itself at run time, and
 * the bundler cannot know the answer. A later SDK that asks otherwise is built as it is, and "npm run size" tells.
 */
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

/** What the SDK's functions answer with the options of `src/lib/sentry/options.ts`. */
const ANSWERS: Record<string, string> = {
  // Spans are sent in transactions: traceLifecycle is "static".
  hasSpanStreamingEnabled: "false",
  // The SDK tracks these for streamed spans only.
  supportsSoftNavigations: "false",
  // There is always a rate.
  hasSpansEnabled: "true",
  // There is no beforeSendSpan: the transport redacts.
  isStaticBeforeSendSpanCallback: "false",
  // Set by OpenTelemetry.
  getSegmentSpanCaptureStrategy: "undefined",
  spanIsTracerProviderSpan: "false",
  hasExternalPropagationContext: "false",
  getExternalPropagationContext: "undefined",
  getOtelParentSpanId: "undefined",
  // Nobody calls suppressTracing.
  isTracingSuppressed: "false",
  // Written into pages by another plugin of the SDK, which this build does not use.
  getComponentName: "null",
  // Set by integrations that this application does not use.
  shouldIgnoreOnError: "false",
  isBrowser: "true",
  // As in every browser that this build is made for.
  supportsNativeFetch: "true",
  supportsHistory: "true",
  // There are no ignoreSpans.
  spanIsIgnored: "false",
  _shouldIgnoreStreamedSpan: "false",
  // No text is made with parameterize.
  isParameterizedString: "false",
  getSDKSource: '"npm"',
};

/** Where the SDK keeps such an answer: that nothing is streamed. */
const KEPT = "(?:spanStreamingEnabled|hasSpanStreaming|isStreamed|perNavigation)";

const CALL = new RegExp(`(?<!function )\\b(${Object.keys(ANSWERS).join("|")})\\([\\w., ]*\\)`, "g");
const CONDITION = new RegExp(`(?<=\\bif \\()${KEPT}(?=\\))|\\b${KEPT}(?= \\?)`, "g");

const STRUCTURE = fileURLToPath(new URL("../src/lib/sentry/structure.ts", import.meta.url));

/** What stands in place of whole modules of the SDK. */
const MODULES: Record<string, string> = {
  // The SDK names elements as the application does.
  "htmlTreeAsString.js": `export { structureOf as htmlTreeAsString } from ${JSON.stringify(STRUCTURE)};`,
  // Traces of one visit are not linked to each other: events carry the user, the release and their own trace.
  "linkedTraces.js": "export const linkTraces = () => undefined;",
};

/** Tells the bundler the answers, and puts our modules in place of the SDK's. */
export function slim(): Plugin {
  return {
    name: "slim",
    apply: "build",
    transform: {
      filter: { id: /\/node_modules\/@sentry\/(?:core|browser|browser-utils)\/.+\.js$/ },
      handler(code, id) {
        const module = MODULES[id.slice(id.lastIndexOf("/") + 1)];
        if (module !== undefined) {
          return { code: module, map: { mappings: "" } };
        }
        // On the line where it was: the source maps stay true to the line.
        const answered = code.replace(CALL, (_, name: string) => ANSWERS[name] as string);
        return { code: answered.replace(CONDITION, "false"), map: null };
      },
    },
  };
}
