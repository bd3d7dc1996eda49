import type { Extension } from "../../lib/extension";

export const extension: Extension = {
  name: "websocket",
  routes: [{ path: "websocket", lazy: () => import("./LivePage") }],
  link: { to: "/websocket", label: "Live" },
};
