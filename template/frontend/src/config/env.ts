/** What a build was configured with: the `VITE_SENTRY_*` variables, checked. Nothing else reads `import.meta.env`. */

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

const DSN = /^https?:\/\/[^\s/@:]+(:[^\s/@]*)?@[^\s/@]+\/([^\s?#]+\/)?\d+$/;

/**
 * Reads raw variables; `fallback` is the environment of a build that names none.
 * Throws one `Error` with a line for each bad variable. The lines never contain a DSN.
 */
export function parseVariables(
  raw: Readonly<Record<string, unknown>>,
  fallback: Environment,
): Variables {
  const text = (name: string) => String(raw[name] ?? "").trim();
  const dsn = text("VITE_SENTRY_DSN");
  const named = text("VITE_SENTRY_ENVIRONMENT") || fallback;
  const environment = ENVIRONMENTS.find((known) => known === named);
  const rate = text("VITE_SENTRY_TRACES_SAMPLE_RATE");
  const problems: string[] = [];
  if (dsn && !DSN.test(dsn)) {
    problems.push("VITE_SENTRY_DSN: not a DSN like https://<key>@<host>/<project number>");
  }
  if (!environment) {
    problems.push(`VITE_SENTRY_ENVIRONMENT: ${named} is not one of ${ENVIRONMENTS.join(", ")}`);
  }
  if (rate && !(Number(rate) >= 0 && Number(rate) <= 1)) {
    problems.push(`VITE_SENTRY_TRACES_SAMPLE_RATE: ${rate} is not between 0 and 1`);
  }
  if (problems.length > 0 || !environment) {
    throw new Error(problems.join("\n"));
  }
  return {
    dsn,
    environment,
    release: text("VITE_SENTRY_RELEASE"),
    tracesSampleRate: rate ? Number(rate) : undefined,
  };
}

/**
 * The variables of this build. `vite.config.ts` imports this module too, to refuse bad values early; there
 * `import.meta.env` does not exist.
 */
export const env = parseVariables(
  import.meta.env ?? {},
  import.meta.env?.DEV ? "development" : "production",
);
