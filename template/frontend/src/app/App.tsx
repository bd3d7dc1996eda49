import project from "@contracts/project.json";
import {
  createBrowserRouter,
  isRouteErrorResponse,
  Link,
  Outlet,
  RouterProvider,
} from "react-router";
import { NotFoundPage, RouteErrorBoundary } from "../components/errors/ErrorPage";
import { extensions } from "../extensions";
import { DiagnosticsPage } from "../features/diagnostics/DiagnosticsPage";
import { captureException } from "../lib/sentry";

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
      </header>
      <main className="layout-main">
        <Outlet />
      </main>
    </>
  );
}

const router = createBrowserRouter([
  {
    path: "/",
    Component: Layout,
    ErrorBoundary: RouteErrorBoundary,
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
]);

/** Reports what loaders and actions throw; what components throw reaches the root's handlers. */
function reportRouteError(error: unknown, { errorInfo }: { errorInfo?: unknown }): void {
  if (!errorInfo && !isRouteErrorResponse(error)) {
    captureException(error);
  }
}

export function App() {
  return <RouterProvider router={router} onError={reportRouteError} />;
}
