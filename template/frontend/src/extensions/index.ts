import type { RouteObject } from "react-router";

/** An optional part of the application. It owns one folder here and is named in the list below. */
export interface Extension {
  name: string;
  routes: RouteObject[];
}

export const extensions: readonly Extension[] = [];
