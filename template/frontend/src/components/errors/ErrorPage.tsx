import { type ComponentProps, useState, useSyncExternalStore } from "react";
import { isRouteErrorResponse, Link, useLocation, useNavigate, useRouteError } from "react-router";
import { env } from "../../config/env";
import { ApiError } from "../../lib/api/client";
import { isMissingChunk } from "../../lib/chunks";
import { currentTraceId, enabled, eventIdOf, onChange, whyEventNotSent } from "../../lib/sentry";
import { CopyButton } from "../CopyButton";
import { Feedback } from "./Feedback";
import { SentryId } from "./SentryId";

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
  const report = {
    eventId: reported ? error.eventId : hasId && !whyNot ? eventIdOf(error) : null,
    traceId: reported ? error.traceId : currentTraceId(),
    side: reported ? ("backend" as const) : ("frontend" as const),
  };
  if (isMissingChunk(error)) {
    return (
      <ErrorPage
        {...report}
        title="There is a new version"
        text="The page has changed since you opened it, and the part that you asked for is gone. Reload to get the new one. If that does not help, check your connection."
        onReload={() => globalThis.location.reload()}
      />
    );
  }
  return (
    <ErrorPage
      {...report}
      title="Something went wrong"
      text="It is not your fault. You can try again; if it keeps happening, tell us what you were doing."
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
  /** Who has sent the event. */
  side?: "backend" | "frontend";
  /** Why nobody else knows of it, in a sentence. */
  whyNot?: string;
  onRetry?: () => unknown;
  /** Offered instead of another try, when only a new start helps. Never done by itself: it might not help either. */
  onReload?: () => unknown;
}

/** Tells a screen reader that the page has changed under it. */
const focus = (heading: HTMLElement | null) => heading?.focus();

/** What a person sees instead of a broken page: what happened, the ids to quote, and ways on. */
function ErrorPage({ title, text, whyNot, onRetry, onReload, ...ids }: ErrorPageProps) {
  const { eventId, traceId, side = "frontend" } = ids;
  const [telling, setTelling] = useState<boolean>();
  return (
    <section className="error-page" aria-labelledby="error-title">
      <p className="error-mark" aria-hidden="true">
        !
      </p>
      <h1 id="error-title" ref={focus} tabIndex={-1}>
        {title}
      </h1>
      <p className="error-text">{text}</p>
      {eventId && <Ids eventId={eventId} traceId={traceId ?? null} side={side} />}
      {whyNot && <p className="error-text">{whyNot}</p>}
      <div className="error-ways">
        {onRetry && (
          <button type="button" className="button button-primary" onClick={() => onRetry()}>
            Try again
          </button>
        )}
        {onReload && (
          <button type="button" className="button button-primary" onClick={() => onReload()}>
            Reload the page
          </button>
        )}
        <Link className="button" to="/">
          Go to the start page
        </Link>
        {eventId && enabled && !telling && (
          <button
            type="button"
            className="button"
            // Where the keyboard was before the form opened.
            ref={telling === false ? focus : undefined}
            onClick={() => setTelling(true)}
          >
            Tell us what happened
          </button>
        )}
      </div>
      {telling && (
        <div className="error-feedback">
          <Feedback eventId={eventId} onClose={() => setTelling(false)} />
        </div>
      )}
    </section>
  );
}

interface IdsProps {
  eventId: string;
  traceId: string | null;
  side: "backend" | "frontend";
}

function Ids({ eventId, traceId, side }: IdsProps) {
  return (
    <div className="error-ids">
      <dl>
        <dt>Event ID</dt>
        <dd>
          <Id kind="event" id={eventId} side={side} />
        </dd>
        {traceId && (
          <>
            <dt>Trace ID</dt>
            <dd>
              <Id kind="trace" id={traceId} side={side} />
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

/** In production this page is seen by people who have no account in Sentry. */
const Id = (props: ComponentProps<typeof SentryId>) =>
  env.environment === "production" ? <code>{props.id}</code> : <SentryId {...props} />;
