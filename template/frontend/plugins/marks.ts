/**
 * Marks each chunk as the application's own: with a debug id, by which Sentry finds its source map, and with the
 * application's key, by which the SDK tells it from what others run in the page. "sentry-cli sourcemaps inject" writes
 * debug ids only, and more bytes for them. https://github.com/tc39/ecma426/blob/main/proposals/debug-id.md
 */
import { createHash } from "node:crypto";
import type { Plugin } from "vite";

/** Writes the marks into everything that is built, and the debug ids into the source maps. */
export function marks(applicationKey: string): Plugin {
  const metadata = JSON.stringify({ [`_sentryBundlerPluginAppKey:${applicationKey}`]: 1 });
  return {
    name: "marks",
    apply: "build",
    generateBundle: {
      // Nothing changes a chunk behind the id of its content.
      order: "post",
      handler(_, bundle) {
        for (const chunk of Object.values(bundle)) {
          if (chunk.type !== "chunk") {
            continue;
          }
          const file = bundle[`${chunk.fileName}.map`];
          if (file?.type !== "asset") {
            throw new Error(`${chunk.fileName} has no source map to mark`);
          }
          const map = JSON.parse(String(file.source));
          const debugId = uuidOf(chunk.code + map.mappings);
          // The SDK knows a chunk by the stack of an error made in it.
          const mark = `{let e=self,t=Error().stack;(e._sentryDebugIds??={})[t]="${debugId}";(e._sentryModuleMetadata??={})[t]=${metadata}}`;
          chunk.code = `${mark}\n${chunk.code.trimEnd()}\n//# debugId=${debugId}\n`;
          // A semicolon stands for the line of the mark, which has no source.
          file.source = JSON.stringify({ ...map, debugId, mappings: `;${map.mappings}` });
        }
      },
    },
  };
}

/** A UUID of version 4 by its look, made of the content: the same build has the same ids. */
function uuidOf(content: string): string {
  const digits = createHash("sha256").update(content).digest("hex");
  const look = `${digits.slice(0, 12)}4${digits.slice(13, 16)}8${digits.slice(17, 32)}`;
  return look.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
