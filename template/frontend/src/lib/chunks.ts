/** Parts of the application that are fetched when somebody needs them, and may be gone after a deployment. */

/** What Chromium, Firefox, Safari (also for a page in place of a script) and Vite say; they share no error class. */
const MISSING =
  /dynamically imported module|Importing a module script failed|is not a valid JavaScript MIME type|^Unable to preload CSS/;

const missing = new WeakSet<Error>();

addEventListener("vite:preloadError", ({ payload }) => missing.add(payload));

/** Whether an error says that a part of the application could not be fetched. */
export const isMissingChunk = (error: unknown): boolean =>
  error instanceof Error && (missing.has(error) || MISSING.test(error.message));
