// Uploads the source maps of the last build to Sentry, then deletes them: npm run sourcemaps
// Needs SENTRY_AUTH_TOKEN. SENTRY_URL, SENTRY_ORG and SENTRY_PROJECT default to contracts/project.json.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const dist = path("../dist/");

function run(command, args, options) {
  const { status, stdout, error } = spawnSync(command, args, { encoding: "utf8", ...options });
  return { ok: status === 0, output: stdout?.trim(), error };
}

function stop(reason) {
  console.error(reason);
  process.exit(1);
}

const maps = existsSync(dist)
  ? readdirSync(dist, { recursive: true }).filter((file) => file.endsWith(".map"))
  : [];
if (maps.length === 0) {
  stop('There are no source maps in frontend/dist: "npm run build" makes them.');
}

const { VITE_SENTRY_RELEASE, SENTRY_RELEASE, SENTRY_URL, SENTRY_ORG, SENTRY_PROJECT } = process.env;
const release =
  VITE_SENTRY_RELEASE ||
  SENTRY_RELEASE ||
  run("python3", [path("../../backend/app/core/sentry/release.py")]).output;
if (!release) {
  stop("SENTRY_RELEASE: not set, and the release cannot be told without Python 3.11 or newer.");
}

const { sentry } = JSON.parse(readFileSync(path("../../contracts/project.json"), "utf8"));
const upload = run("sentry-cli", ["sourcemaps", "upload", "--release", release, dist], {
  stdio: "inherit",
  env: {
    ...process.env,
    SENTRY_URL: SENTRY_URL || sentry.url,
    SENTRY_ORG: SENTRY_ORG || sentry.organization,
    SENTRY_PROJECT: SENTRY_PROJECT || sentry.projects.frontend,
    RUST_BACKTRACE: "0",
  },
});
if (!upload.ok) {
  stop(`The source maps of ${release} were not uploaded, and are still in frontend/dist.`);
}
for (const map of maps) {
  rmSync(dist + map);
}
console.log(`The source maps of ${release} are uploaded, and deleted from frontend/dist.`);
