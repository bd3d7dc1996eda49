/** The variables of this page that are needed before the SDK is there. Nothing else reads `import.meta.env`. */
import type { Environment, VariableName } from "./variables";

/** The text of a variable, as `index.html` has it; empty where nobody wrote any. */
export const read = (name: VariableName) =>
  document.querySelector<HTMLMetaElement>(`meta[name=${name}]`)?.content ?? "";

const dsn = read("VITE_SENTRY_DSN");

/** What the fields mean is said by `Variables`. */
export const env = {
  dsn,
  environment: read("VITE_SENTRY_ENVIRONMENT") as Environment,
  release: import.meta.env.VITE_SENTRY_RELEASE as string,
  tunnel: read("VITE_SENTRY_TUNNEL"),
  orgId: read("SENTRY_ORG_ID") || (/@o(\d+)\./.exec(dsn)?.[1] ?? ""),
};
