// The last step of "npm run build": takes the source maps out of dist, which then holds what is served and nothing
// else, and writes down what was built. ops/release reads it, uploads the maps, and compares what is deployed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfigFromFile } from "vite";

const path = (below) => fileURLToPath(new URL(below, import.meta.url));
const dist = path("../dist/");
const folder = path("../../release/");
const sha256 = (content) => createHash("sha256").update(content).digest("hex");

/** Whether git failed or is missing, and what it prints. */
function git(...command) {
  const { status, stdout, stderr } = spawnSync("git", command, {
    cwd: path("../.."),
    encoding: "utf8",
  });
  return {
    failed: status !== 0,
    output: (stdout ?? "").trimEnd(),
    complaint: (stderr ?? "").trim(),
  };
}

/** The commit, or nothing where there is no git, no repository or no commit. */
function presentCommit() {
  return git("rev-parse", "--verify", "--quiet", "HEAD").output;
}

/** What was changed and not committed in this project, so that no commit is what is built. */
function uncommitted() {
  const status = git(
    "status",
    "--porcelain",
    "--no-renames",
    "--untracked-files=normal",
    "-z",
    "--",
    ".",
  );
  if (status.failed && presentCommit()) {
    console.error(
      `git status: ${status.complaint}. Mend that, so that git can tell what is committed`,
    );
    process.exit(1);
  }
  const entries = status.output.split("\0").filter(Boolean);
  return entries.map((entry) => entry.slice(3));
}

/** The release that this build's own configuration wrote into it. */
async function releaseOfBuild() {
  const given = { command: "build", mode: "production" };
  const { config } = await loadConfigFromFile(given, undefined, path(".."));
  return JSON.parse(config.define["import.meta.env.VITE_SENTRY_RELEASE"]);
}

rmSync(join(folder, "sourcemaps"), { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const files = {};
const debugIds = {};
const entries = readdirSync(dist, { recursive: true, withFileTypes: true });
for (const file of entries.filter((entry) => entry.isFile())) {
  const source = join(file.parentPath, file.name);
  const name = relative(dist, source).split(sep).join("/");
  if (name.endsWith(".map")) {
    const target = join(folder, "sourcemaps", name);
    mkdirSync(dirname(target), { recursive: true });
    renameSync(source, target);
    continue;
  }
  const content = readFileSync(source);
  files[name] = sha256(content);
  const debugId = name.endsWith(".js") && content.toString().match(/^\/\/# debugId=(\S+)$/m);
  if (debugId) {
    debugIds[name] = debugId[1];
  }
}
const lines = Object.entries(files).map(([name, digest]) => `${digest}  ${name}\n`);
const record = {
  release: await releaseOfBuild(),
  commit: presentCommit(),
  uncommitted: uncommitted(),
  digest: sha256(lines.sort().join("")),
  files,
  debug_ids: debugIds,
};
writeFileSync(`${folder}build.json`, `${JSON.stringify(record, null, 2)}\n`);
