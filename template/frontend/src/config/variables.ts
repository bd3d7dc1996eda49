/**
 * The page's Sentry variables: what they are called, what they may hold, and what they mean. `index.html` carries
 * one `<meta>` for each. The build writes them, `configure.sh` changes them without a build, and the page reads them.
 */
import type { env, read } from "./env";

export const NAMES = [
  "VITE_SENTRY_DSN",
  "VITE_SENTRY_ENVIRONMENT",
  "VITE_SENTRY_TRACES_SAMPLE_RATE",
  "VITE_SENTRY_REPLAYS_ON_ERROR_SAMPLE_RATE",
  "VITE_SENTRY_TUNNEL",
  "SENTRY_ORG_ID",
  "SENTRY_SENSITIVE_KEYS",
] as const;
export type VariableName = (typeof NAMES)[number];

export const ENVIRONMENTS = ["development", "staging", "production"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

export interface Variables {
  /** Where events go; empty means that Sentry is off. */
  dsn: string;
  environment: Environment;
  /** `<slug>@<version>+<sha>`, fixed by the build; empty when it could not tell. */
  release: string;
  /** Share of page visits that are traced, 0 to 1; undefined leaves it to `contracts/environments.json`. */
  tracesSampleRate: number | undefined;
  /** Share of page visits whose replay is sent with an error, 0 to 1; undefined as above. */
  replaysOnErrorSampleRate: number | undefined;
  /** Where events go instead of to Sentry's host, a path or an address; empty sends them straight to Sentry. */
  tunnel: string;
  /** The organization's number in Sentry, by which the API knows traces of its own; empty when nobody knows it. */
  orgId: string;
  /** The project's own keys whose values never leave, as the API has them. */
  sensitiveKeys: string[];
}

type Raw = Readonly<Partial<Record<string, string>>>;

/** The API's own, `backend/app/api/routes/tunnel.py`. */
export const TUNNEL = "/api/v1/tunnel";

// configure.sh says the same in the regular expressions of grep. Nothing here can end an attribute of HTML. What is
// put together is a function, because a build leaves those out of the page.
const RATE = /^[ \t]*(0|1|0?\.[0-9]+|1\.0+|[0-9](\.[0-9]+)?[eE]-[1-9][0-9]*)?[ \t]*$/;
const PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]";
const host = () => `([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:(${PORT}))?`;
const dsnPattern = () =>
  new RegExp(`^https?://[A-Za-z0-9_]+(:[A-Za-z0-9_]*)?@${host()}/([A-Za-z0-9._~/-]+/)?[0-9]+$`);
const tunnelPattern = () =>
  new RegExp(`^(/[A-Za-z0-9._~-]|https?://${host()}([/?]|$))[A-Za-z0-9._~:/?=%+[\\]-]*$`);
const ORGANIZATION = /^[0-9]{1,20}$/;
const KEY = /^[A-Za-z][A-Za-z0-9_ .-]{1,63}$/;
const SHOWABLE = /^[A-Za-z0-9_.,+-]{1,20}$/;

/**
 * What is wrong with raw variables, a line for each bad one. Whoever writes variables into a page asks, and stops:
 * the page itself only gets variables without problems, and does not carry this function.
 * `backend/app/core/variables.py` says the same of those that both sides read.
 */
export function problemsOf(raw: Raw): string[] {
  const environments: readonly string[] = ENVIRONMENTS;
  const problems: Record<VariableName, string | false | undefined> = {
    VITE_SENTRY_DSN:
      isBadAddress(raw.VITE_SENTRY_DSN, dsnPattern()) &&
      "not a DSN like https://<key>@<host>/<project number>",
    VITE_SENTRY_ENVIRONMENT:
      raw.VITE_SENTRY_ENVIRONMENT &&
      !environments.includes(raw.VITE_SENTRY_ENVIRONMENT) &&
      `${shown(raw.VITE_SENTRY_ENVIRONMENT)} is not one of ${ENVIRONMENTS.join(", ")}`,
    VITE_SENTRY_TRACES_SAMPLE_RATE: badRate(raw.VITE_SENTRY_TRACES_SAMPLE_RATE),
    VITE_SENTRY_REPLAYS_ON_ERROR_SAMPLE_RATE: badRate(raw.VITE_SENTRY_REPLAYS_ON_ERROR_SAMPLE_RATE),
    VITE_SENTRY_TUNNEL:
      isBadAddress(raw.VITE_SENTRY_TUNNEL, tunnelPattern()) &&
      `neither a path like ${TUNNEL} nor an address like https://api.example.com${TUNNEL}`,
    SENTRY_ORG_ID:
      isBad(raw.SENTRY_ORG_ID, ORGANIZATION) &&
      `${shown(raw.SENTRY_ORG_ID)} is not the number of an organization in Sentry`,
    SENTRY_SENSITIVE_KEYS: badKey(listed(raw.SENTRY_SENSITIVE_KEYS)),
  };
  return NAMES.flatMap((name) => (problems[name] ? `${name}: ${problems[name]}` : []));
}

const isBad = (text: string | undefined, pattern: RegExp): text is string =>
  Boolean(text) && !pattern.test(text ?? "");

/** Only a browser's own parser knows all that is wrong with a host, such as 300.1.1.1; configure.sh has none. */
const isBadAddress = (text: string | undefined, pattern: RegExp) =>
  isBad(text, pattern) || !URL.canParse(text ?? "", "https://page.example");

const badRate = (text: string | undefined) =>
  isBad(text, RATE) && `${shown(text)} is not a number between 0 and 1`;

function badKey(keys: string[]): string | undefined {
  const bad = keys.find((key) => !KEY.test(key));
  return bad && `${shown(bad)} is not a name like customer_number`;
}

/** The value for a message, unless it looks unlike a setting: it may be a misplaced secret. */
const shown = (text: string) => (SHOWABLE.test(text) ? text : "the value");

/** The parts of a list that is separated by commas. */
const listed = (text = "") =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

const rateOf = (text: string) => (text.trim() ? Number(text) : undefined);

/** Everything that the SDK runs with: what the page knows already, and what only the SDK asks for. */
export const readVariables = (known: typeof env, ask: typeof read): Variables => ({
  ...known,
  tracesSampleRate: rateOf(ask("VITE_SENTRY_TRACES_SAMPLE_RATE")),
  replaysOnErrorSampleRate: rateOf(ask("VITE_SENTRY_REPLAYS_ON_ERROR_SAMPLE_RATE")),
  sensitiveKeys: listed(ask("SENTRY_SENSITIVE_KEYS")),
});
