import type { Extension } from "../../lib/extension";

export const extension: Extension = {
  name: "database",
  routes: [{ path: "items", lazy: () => import("./ItemsPage") }],
  link: { to: "/items", label: "Items" },
};
