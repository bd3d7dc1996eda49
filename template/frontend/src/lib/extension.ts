import type { RouteObject } from "react-router";

/** An optional part of the page. It owns one folder of `src/extensions` and is named in the list there. */
export interface Extension {
  name: string;
  /** Its pages. Fetch them with `lazy`, so that the first page stays small. */
  routes: RouteObject[];
  /** Where its page is, and what the link to it in the header says. */
  link?: { to: string; label: string };
}
