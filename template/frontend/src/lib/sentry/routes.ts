/** Names addresses by the application's routes, so that what stands in an address gets into no name. */
import type { Client, Integration } from "@sentry/core";
import { getCurrentScope, type Span } from "@sentry/react";

/** The route of a path, such as `/orders/:orderId` for `/orders/8841`; undefined when there is none. */
type DescribeRoute = (path: string) => string | undefined;

/** How Sentry learns that a name is a route's, and not an address. */
const SOURCE = "sentry.segment.name.source";

/** For addresses that no route knows, and all of them until the application has told its routes. */
const UNKNOWN = "(unknown route)";

let describe: DescribeRoute = () => undefined;
let visit: Span | undefined;

/** The route of an address on this site. */
export function routeOf(address: string): string {
  try {
    return describe(new URL(address, location.origin).pathname) ?? UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

/** The address that the browser has loaded; the page may have gone elsewhere since. */
function loadedAddress(): string {
  try {
    return performance.getEntriesByType("navigation")[0]?.name ?? location.href;
  } catch {
    return location.href;
  }
}

/** Tells how the application calls its addresses. The span of the page load gets its name, too. */
export function provideRoutes(given: DescribeRoute): void {
  describe = given;
  getCurrentScope().setTransactionName(routeOf(location.href));
  if (visit) {
    visit.updateName(routeOf(loadedAddress()));
    visit.setAttribute(SOURCE, "route");
  }
}

/** Names the spans of page load and navigation; before `BrowserTracing` in the list, which makes them. */
export const routeIntegration = (): Integration => ({
  name: "Routes",
  setup(client: Client) {
    client.on("startPageLoadSpan", (options) => {
      options.name = routeOf(loadedAddress());
      getCurrentScope().setTransactionName(options.name);
    });
    client.on("afterStartPageLoadSpan", (span) => {
      visit = span;
    });
    client.on("beforeStartNavigationSpan", (options, { url = location.href } = {}) => {
      options.name = routeOf(url);
      options.attributes = { ...options.attributes, [SOURCE]: "route" };
    });
  },
});
