import { matchRoutes, type RouteObject } from "react-router";
import { provideRoutes } from "../lib/sentry";

/** Calls pages and navigations by their route, `/orders/:orderId`, and every unknown address `/*`. */
export function nameByRoute(routes: RouteObject[]): void {
  provideRoutes((path) =>
    matchRoutes(routes, path)?.reduce((name, { route: { path: part = "" } }) => {
      const joined = part.startsWith("/") ? part : `${name}/${part}`;
      return part === "" ? name : joined.replace(/^\/\//, "/");
    }, ""),
  );
}
