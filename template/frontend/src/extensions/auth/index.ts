import type { Extension } from "../../lib/extension";

export const extension: Extension = {
  name: "auth",
  routes: [{ path: "sign-in", lazy: () => import("./AccountPage") }],
  link: { to: "/sign-in", label: "Account" },
};
