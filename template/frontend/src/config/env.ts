/** What a build was configured with: the Sentry variables of the page. Nothing else reads `import.meta.env`. */

export const ENVIRONMENTS = ["development", "staging", "production"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

export interface Variables {
  /** Where events go; empty means that Sentry is off. */
  dsn: string;
  environment: Environment;
  /** `<slug>@<version>+<sha>`; empty when the build could not tell. */
  release: string;
  /** Share of page visits that are traced, 0 to 1; undefined leaves it to `contracts/environments.json`. */
  tracesSampleRate: number | undefined;
  /** Where events go instead of to Sentry's host, a path or an address; empty sends them straight to Sentry. */
  tunnel: string;
  /** The organization's number in Sentry, by which the API knows traces of its own; empty when nobody knows it. */
  orgId: string;
  /** The project's own keys whose values never leave, as the API has them: `SENTRY_SENSITIVE_KEYS`. */
  sensitiveKeys: string[];
}

type Raw = Readonly<Record<string, string | undefined>>;

/** The API's own, `backend/app/api/routes/tunnel.py`. */
export const TUNNEL = "/api/v1/tunnel";
const SHOWABLE = /^[A-Za-z0-9_.,+-]{1,20}$/;
const ORGANIZATION = /^[0-9]{1,20}$/;
const NAME = /^[A-Za-z][A-Za-z0-9_ .-]{1,63}$/;
const DSN = /^https?:\/\/\w+(:\w*)?@[^\s/@]+\/([^\s?#]+\/)?\d+$/;

/**
 * What is wrong with raw variables, a line for each bad one; never repeats a DSN. The build asks, and stops: a
 * browser only ever gets variables without problems, and does not carry this function. `backend/app/core/variables.py`
 * says the same of those that both sides read.
 */
export function problemsOf(raw: Raw): string[] {
  const dsn = raw.VITE_SENTRY_DSN;
  const rate = raw.VITE_SENTRY_TRACES_SAMPLE_RATE?.trim();
  const environment = raw.VITE_SENTRY_ENVIRONMENT;
  const tunnel = raw.VITE_SENTRY_TUNNEL;
  const orgId = raw.SENTRY_ORG_ID;
  const badKey = listed(raw.SENTRY_SENSITIVE_KEYS).find((key) => !NAME.test(key));
  const problems: string[] = [];
  if (dsn && !DSN.test(dsn)) {
    problems.push("VITE_SENTRY_DSN: not a DSN like https://<key>@<host>/<project number>");
  }
  if (environment && !ENVIRONMENTS.some((known) => known === environment)) {
    problems.push(
      `VITE_SENTRY_ENVIRONMENT: ${environment} is not one of ${ENVIRONMENTS.join(", ")}`,
    );
  }
  if (rate && !(Number(rate) >= 0 && Number(rate) <= 1)) {
    problems.push(`VITE_SENTRY_TRACES_SAMPLE_RATE: ${rate} is not between 0 and 1`);
  }
  if (tunnel && !/^(\/|https?:\/\/)[^\s/@][^\s@]*$/.test(tunnel)) {
    problems.push(
      `VITE_SENTRY_TUNNEL: neither a path like ${TUNNEL} nor an address like https://api.example.com${TUNNEL}`,
    );
  }
  if (orgId && !ORGANIZATION.test(orgId)) {
    problems.push(`SENTRY_ORG_ID: ${shown(orgId)} is not the number of an organization in Sentry`);
  }
  if (badKey !== undefined) {
    problems.push(`SENTRY_SENSITIVE_KEYS: ${shown(badKey)} is not a name like customer_number`);
  }
  return problems;
}

/** The value for a message, unless it looks unlike a setting: it may be a misplaced secret. */
const shown = (text: string) => (SHOWABLE.test(text) ? text : "the value");

/** The parts of a list that is separated by commas. */
const listed = (text = "") =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

/** Reads variables without problems; `fallback` is the environment of a build that names none. */
export function readVariables(raw: Raw, fallback: Environment): Variables {
  const rate = raw.VITE_SENTRY_TRACES_SAMPLE_RATE?.trim();
  return {
    dsn: raw.VITE_SENTRY_DSN || "",
    environment: (raw.VITE_SENTRY_ENVIRONMENT as Environment | undefined) || fallback,
    release: raw.VITE_SENTRY_RELEASE || "",
    tracesSampleRate: rate ? Number(rate) : undefined,
    tunnel: raw.VITE_SENTRY_TUNNEL ?? TUNNEL,
    orgId: raw.VITE_SENTRY_ORG_ID || (raw.VITE_SENTRY_DSN?.match(/@o(\d+)\./)?.[1] ?? ""),
    sensitiveKeys: listed(raw.VITE_SENTRY_SENSITIVE_KEYS),
  };
}

/** The variables of this build. The build itself imports this module too, and has no `import.meta.env`. */
export const env = readVariables(
  import.meta.env ?? {},
  import.meta.env?.DEV ? "development" : "production",
);
