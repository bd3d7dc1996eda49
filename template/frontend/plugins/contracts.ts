/** Leaves out of what browsers get of `contracts/*.json` what only people and the API need. */
import type { Plugin } from "vite";

/** A longer list of the shortcut `needs` saves a browser no time, and may be ignored. */
const LONGEST_NEEDS = 2;

/** Drops explanations and long shortcuts before Vite makes a module of the file. */
export function contracts(): Plugin {
  return {
    name: "contracts",
    enforce: "pre",
    transform: {
      filter: { id: /\/contracts\/[^/]+\.json$/ },
      handler: (text) => ({
        code: JSON.stringify(JSON.parse(text, forBrowsers)),
        // Nobody steps through data.
        map: { mappings: "" },
      }),
    },
  };
}

const forBrowsers = (key: string, value: unknown) =>
  key === "$comment" || (key === "needs" && Array.isArray(value) && value.length > LONGEST_NEEDS)
    ? undefined
    : value;
