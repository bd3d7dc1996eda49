/**
 * Completes `index.html`: what the page may load, its variables, and the script that runs before every other. In dev
 * there is no policy, because Vite's own client would break it.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { minifySync, type Plugin } from "vite";
import { NAMES, TUNNEL, type VariableName } from "../src/config/variables.ts";

type Values = Record<VariableName, string>;

/** The encoding has to stand among the first bytes, so everything else comes behind it. */
const TOP_OF_HEAD = /<head[^>]*>(\s*<meta charset[^>]*>)?/i;
const FIRST_SCRIPT = new URL("../src/lib/sentry/early.js", import.meta.url);

/** Writes variables without problems into the page. What is not set becomes what it means. */
export function page(raw: Readonly<Record<string, string>>): Plugin {
  return {
    name: "page",
    transformIndexHtml: {
      // Vite's own work on the page is done by then: nothing changes a script behind its hash.
      order: "post",
      handler(html, { server }) {
        if (!TOP_OF_HEAD.test(html)) {
          throw new Error("index.html has no <head>, where the variables of Sentry belong");
        }
        const values = {
          ...(Object.fromEntries(NAMES.map((name) => [name, raw[name] ?? ""])) as Values),
          VITE_SENTRY_ENVIRONMENT:
            raw.VITE_SENTRY_ENVIRONMENT || (server ? "development" : "production"),
          VITE_SENTRY_TUNNEL: raw.VITE_SENTRY_TUNNEL ?? TUNNEL,
        };
        const script = firstScript();
        const tags = [
          ...(server ? [] : [policyTag(script, values)]),
          ...NAMES.map((name) => `<meta name="${name}" content="${values[name]}" />`),
          `<script>${script}</script>`,
        ];
        return html.replace(TOP_OF_HEAD, (top) => [top, ...tags].join("\n    "));
      },
    },
  };
}

function firstScript(): string {
  const { code, errors } = minifySync(FIRST_SCRIPT.pathname, readFileSync(FIRST_SCRIPT, "utf8"));
  if (errors.length > 0) {
    throw new Error(`${FIRST_SCRIPT.pathname}: ${errors[0]?.message}`);
  }
  return code.trim();
}

/**
 * What a built page may load, run and reach: its own origin, and where events go. Who may show it in a frame cannot be
 * said in a page: nginx.conf.template does. https://developer.mozilla.org/docs/Web/HTTP/Guides/CSP
 */
function policyTag(script: string, values: Values): string {
  const hash = createHash("sha256").update(script).digest("base64");
  const policy = {
    "default-src": "'self'",
    "script-src": `'self' 'sha256-${hash}'`,
    "img-src": "'self' data:",
    // configure.sh looks for this directive, and puts another origin of Sentry in the place of this one.
    "connect-src": ["'self'", ...originOfEvents(values)].join(" "),
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
  };
  const content = Object.entries(policy).map(([directive, sources]) => `${directive} ${sources}`);
  return `<meta http-equiv="Content-Security-Policy" content="${content.join("; ")}" />`;
}

/** Where events go, if it is not the page's own origin. */
function originOfEvents({ VITE_SENTRY_DSN: dsn, VITE_SENTRY_TUNNEL: tunnel }: Values): string[] {
  const address = dsn && (tunnel || dsn);
  return URL.canParse(address) ? [new URL(address).origin] : [];
}
