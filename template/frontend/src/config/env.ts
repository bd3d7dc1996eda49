/** What a build was configured with: the `VITE_SENTRY_*` variables. Nothing else reads `import.meta.env`. */

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
}

type Raw = Readonly<Record<string, string | undefined>>;

const DSN = /^https?:\/\/\w+(:\w*)?@[^\s/@]+\/([^\s?#]+\/)?\d+$/;

/**
 * What is wrong with raw variables, a line for each bad one; never repeats a DSN. The build asks, and stops: a
 * browser only ever gets variables without problems, and does not carry this function.
 */
export function problemsOf(raw: Raw): string[] {
  const dsn = raw.VITE_SENTRY_DSN;
  const rate = raw.VITE_SENTRY_TRACES_SAMPLE_RATE?.trim();
  const environment = raw.VITE_SENTRY_ENVIRONMENT;
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
  return problems;
}

/** Reads variables without problems; `fallback` is the environment of a build that names none. */
export function readVariables(raw: Raw, fallback: Environment): Variables {
  const rate = raw.VITE_SENTRY_TRACES_SAMPLE_RATE?.trim();
  return {
    dsn: raw.VITE_SENTRY_DSN || "",
    environment: (raw.VITE_SENTRY_ENVIRONMENT as Environment | undefined) || fallback,
    release: raw.VITE_SENTRY_RELEASE || "",
    tracesSampleRate: rate ? Number(rate) : undefined,
  };
}

/** The variables of this build. The build itself imports this module too, and has no `import.meta.env`. */
export const env = readVariables(
  import.meta.env ?? {},
  import.meta.env?.DEV ? "development" : "production",
);
