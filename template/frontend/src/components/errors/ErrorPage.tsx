import { useState } from "react";
import { isRouteErrorResponse, Link, useLocation, useNavigate, useRouteError } from "react-router";
import { ApiError } from "../../lib/api/client";
import { currentTraceId, enabled, eventIdOf } from "../../lib/sentry";
import { CopyButton } from "../CopyButton";
import { FeedbackForm } from "./FeedbackForm";

/** For addresses that no route has. */
export function NotFoundPage() {
  return (
    <ErrorPage title="There is no such page" text="The address may be mistyped or outdated." />
  );
}

/** The one error boundary: shows what a page, loader or action threw, and offers another try. */
export function RouteErrorBoundary() {
  const error = useRouteError();
  const location = useLocation();
  const navigate = useNavigate();
  if (isRouteErrorResponse(error) && error.status === 404) {
    return <NotFoundPage />;
  }
  const reported = error instanceof ApiError && error.eventId !== null;
  return (
    <ErrorPage
      title="Something went wrong"
      text="It is not your fault. You can try again; if it keeps happening, tell us what you were doing."
      eventId={reported ? error.eventId : enabled ? eventIdOf(error) : null}
      traceId={reported ? error.traceId : currentTraceId()}
      onRetry={() => navigate(location, { replace: true })}
    />
  );
}

interface ErrorPageProps {
  title: string;
  text: string;
  eventId?: string | null;
  traceId?: string | null;
  onRetry?: () => unknown;
}

/** Tells a screen reader that the page has changed under it. */
const focus = (heading: HTMLElement | null) => heading?.focus();

/** What a person sees instead of a broken page: what happened, the ids to quote, and ways on. */
function ErrorPage({ title, text, eventId, traceId, onRetry }: ErrorPageProps) {
  const [telling, setTelling] = useState(false);
  return (
    <section className="error-page" aria-labelledby="error-title">
      <p className="error-mark" aria-hidden="true">
        !
      </p>
      <h1 id="error-title" ref={focus} tabIndex={-1}>
        {title}
      </h1>
      <p className="error-text">{text}</p>
      {eventId && <Ids eventId={eventId} traceId={traceId ?? null} />}
      {onRetry && !enabled && (
        <p className="error-text">Sentry is off, so this error was not reported.</p>
      )}
      <div className="error-ways">
        {onRetry && (
          <button type="button" className="button button-primary" onClick={() => onRetry()}>
            Try again
          </button>
        )}
        <Link className="button" to="/">
          Go to the start page
        </Link>
        {eventId && enabled && !telling && (
          <button type="button" className="button" onClick={() => setTelling(true)}>
            Tell us what happened
          </button>
        )}
      </div>
      {telling && (
        <div className="error-feedback">
          <FeedbackForm eventId={eventId} onClose={() => setTelling(false)} />
        </div>
      )}
    </section>
  );
}

function Ids({ eventId, traceId }: { eventId: string; traceId: string | null }) {
  return (
    <div className="error-ids">
      <dl>
        <dt>Event ID</dt>
        <dd>
          <code>{eventId}</code>
        </dd>
        {traceId && (
          <>
            <dt>Trace ID</dt>
            <dd>
              <code>{traceId}</code>
            </dd>
          </>
        )}
      </dl>
      <CopyButton
        label="Copy IDs"
        text={`event ${eventId}${traceId ? `, trace ${traceId}` : ""}`}
      />
    </div>
  );
}
