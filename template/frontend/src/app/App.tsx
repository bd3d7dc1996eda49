import project from "@contracts/project.json";
import {
  createBrowserRouter,
  isRouteErrorResponse,
  Link,
  NavLink,
  Outlet,
  type RouteObject,
  RouterProvider,
} from "react-router";
import { NotFoundPage, RouteErrorBoundary } from "../components/errors/ErrorPage";
import { LastResort } from "../components/errors/LastResort";
import { extensions } from "../extensions";
import { DiagnosticsPage } from "../features/diagnostics/DiagnosticsPage";
import { captureException } from "../lib/sentry";
import { nameByRoute } from "./routeNames";

const links = extensions.flatMap(({ link }) => link ?? []);

/** The ways to the pages of the extensions, if there are any. */
function ExtensionLinks() {
  return links.length === 0 ? null : (
    <nav className="layout-links">
      {links.map(({ to, label }) => (
        <NavLink key={to} to={to}>
          {label}
        </NavLink>
      ))}
    </nav>
  );
}

/** The frame around every page: the project's name on top, the page below. */
function Layout() {
  return (
    <>
      <header className="layout-header">
        <Link to="/" className="layout-brand">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M6 17h5l3-8 4 14 3-6h5" />
          </svg>
          <span dir="auto">{project.name}</span>
        </Link>
        <ExtensionLinks />
      </header>
      <main className="layout-main">
        <Outlet />
      </main>
    </>
  );
}

/** Until the first page is there, if it is fetched on its own or waits for data. */
const Starting = () => (
  <p className="hint" role="status">
    Loading
  </p>
);

const routes: RouteObject[] = [
  {
    path: "/",
    Component: Layout,
    ErrorBoundary: RouteErrorBoundary,
    HydrateFallback: Starting,
    children: [
      {
        ErrorBoundary: RouteErrorBoundary,
        children: [
          { index: true, Component: DiagnosticsPage },
          ...extensions.flatMap((extension) => extension.routes),
          { path: "*", Component: NotFoundPage },
        ],
      },
    ],
  },
];

const router = createBrowserRouter(routes);

nameByRoute(routes);

/** Reports what loaders and actions throw; what components throw reaches the root's handlers. */
function reportRouteError(error: unknown, { errorInfo }: { errorInfo?: unknown }): void {
  if (!errorInfo && !isRouteErrorResponse(error)) {
    captureException(error);
  }
}

export function App() {
  return (
    <LastResort>
      <RouterProvider router={router} onError={reportRouteError} />
    </LastResort>
  );
}
