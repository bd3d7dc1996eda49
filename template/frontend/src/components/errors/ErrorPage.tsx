import { useState, useSyncExternalStore } from "react";
import { isRouteErrorResponse, Link, useLocation, useNavigate, useRouteError } from "react-router";
import { ApiError } from "../../lib/api/client";
import { currentTraceId, enabled, eventIdOf, onChange, whyEventNotSent } from "../../lib/sentry";
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
  const reported = error instanceof ApiError && error.eventId !== null;
  // Text cannot carry its id here, and answers that a loader throws are not reported.
  const hasId = typeof error === "object" && error !== null && !isRouteErrorResponse(error);
  const whyNot = useSyncExternalStore(onChange, () => {
    if (reported) {
      return undefined;
    }
    return enabled
      ? whyEventNotSent(eventIdOf(error))
      : "Sentry is off, so this error was not reported.";
  });
  if (isRouteErrorResponse(error) && error.status === 404) {
    return <NotFoundPage />;
  }
  return (
    <ErrorPage
      title="Something went wrong"
      text="It is not your fault. You can try again; if it keeps happening, tell us what you were doing."
      eventId={reported ? error.eventId : hasId && !whyNot ? eventIdOf(error) : null}
      traceId={reported ? error.traceId : currentTraceId()}
      whyNot={whyNot}
      onRetry={() => navigate(location, { replace: true })}
    />
  );
}

interface ErrorPageProps {
  title: string;
  text: string;
  eventId?: string | null;
  traceId?: string | null;
  /** Why nobody else knows of it, in a sentence. */
  whyNot?: string;
  onRetry?: () => unknown;
}

/** Tells a screen reader that the page has changed under it. */
const focus = (heading: HTMLElement | null) => heading?.focus();

/** What a person sees instead of a broken page: what happened, the ids to quote, and ways on. */
function ErrorPage({ title, text, eventId, traceId, whyNot, onRetry }: ErrorPageProps) {
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
      {whyNot && <p className="error-text">{whyNot}</p>}
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
