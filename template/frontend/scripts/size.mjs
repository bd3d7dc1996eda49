// What Sentry costs a visitor, as gzip -9: npm run size
// Builds the page as it is and without src/lib/sentry, writes no file, and fails when a budget is exceeded.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, loadConfigFromFile } from "vite";

/** Bytes. The first paint waits for the one; the other comes when the page is idle. */
const BUDGETS = { "before first paint": 1536, "SDK: errors and tracing": 59392 };

/** What is loaded later, each without what is there already by then. */
const LATER = {
  "SDK: errors and tracing": "/src/lib/sentry/sdk.ts",
  "what leaves before the SDK came": "/src/lib/sentry/leave.ts",
  "replay, in visits picked for it": "/src/lib/sentry/replay.ts",
  "feedback, when it is opened": "/src/components/errors/FeedbackForm.tsx",
};

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const sizeOf = (text) => gzipSync(text, { level: 9 }).length;

/** Builds in memory. Without Sentry nothing stands in for it but names, and no chunk is marked for it. */
async function built(withSentry) {
  const given = { command: "build", mode: "production" };
  const { config } = await loadConfigFromFile(given, undefined, path(".."));
  const plugins = config.plugins.flat().filter(({ name }) => withSentry || name !== "marks");
  if (!withSentry) {
    plugins.push({
      name: "without-sentry",
      enforce: "pre",
      async resolveId(source, importer) {
        const found = source.startsWith(".") && (await this.resolve(source, importer));
        return found?.id?.startsWith(path("../src/lib/sentry/")) ? path("without-sentry.ts") : null;
      },
    });
  }
  const options = { configFile: false, logLevel: "error", root: path("..") };
  const { output } = await build({
    ...config,
    ...options,
    plugins,
    build: { ...config.build, write: false },
  });
  return output;
}

const chunksOf = (output) => output.filter(({ type }) => type === "chunk");

/** A chunk and everything that it imports at once. */
function closure(output, start) {
  const found = new Set();
  const visit = (name) => {
    const chunk = output.find(({ fileName }) => fileName === name);
    if (chunk?.type === "chunk" && !found.has(chunk)) {
      found.add(chunk);
      chunk.imports.forEach(visit);
    }
  };
  visit(start.fileName);
  return found;
}

const eagerChunks = (output) =>
  closure(
    output,
    chunksOf(output).find(({ isEntry }) => isEntry),
  );
const total = (chunks) => [...chunks].reduce((sum, { code }) => sum + sizeOf(code), 0);

// Sentry is the same size wherever it reports to; the release is part of every build.
Object.assign(process.env, { VITE_SENTRY_RELEASE: "my-app@1.0.0+0123456789ab" });
const output = await built(true);
const html = output.find(({ fileName }) => fileName === "index.html").source;
const withoutScript = html.replace(/<script>.*?<\/script>/s, "");
if (withoutScript === html) {
  throw new Error("index.html has no inline script, so nobody can tell its size");
}
const there = eagerChunks(output);
const sizes = {
  "before first paint":
    sizeOf(html) - sizeOf(withoutScript) + total(there) - total(eagerChunks(await built(false))),
};
for (const [name, module] of Object.entries(LATER)) {
  const chunk = chunksOf(output).find(({ facadeModuleId }) => facadeModuleId?.endsWith(module));
  if (!chunk) {
    throw new Error(`${module} is no chunk of its own any more, so nobody can tell its size`);
  }
  const added = [...closure(output, chunk)].filter((each) => !there.has(each));
  sizes[name] = total(added);
  added.forEach((each) => void there.add(each));
}

let exceeded = false;
for (const [name, size] of Object.entries(sizes)) {
  const budget = BUDGETS[name];
  console.log(`${name.padEnd(34)}${String(size).padStart(7)}${budget ? ` of ${budget}` : ""}`);
  if (size > budget) {
    exceeded = true;
    console.error(`Sentry, ${name}: ${size} bytes after gzip -9, and the budget is ${budget}.`);
  }
}
process.exit(exceeded ? 1 : 0);
