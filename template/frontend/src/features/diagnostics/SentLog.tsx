import type { ComponentProps } from "react";
import { CopyButton } from "../../components/CopyButton";
import { SentryId } from "../../components/errors/SentryId";
import { type Entry, useSent } from "./experiments";

/** Everything that was sent from this page, with the ids to look for in Sentry. */
export function SentLog() {
  const entries = useSent();
  return (
    <section className="section" aria-labelledby="sent-title">
      <h2 id="sent-title">Sent</h2>
      <div className="sent" role="log" aria-labelledby="sent-title">
        {entries.length === 0 ? (
          <p className="sent-empty">
            Nothing yet. What you send above is listed here with its ids.
          </p>
        ) : (
          <ol className="sent-list">
            {entries.map((entry) => (
              <SentEntry key={entry.id} entry={entry} />
            ))}
          </ol>
        )}
      </div>
    </section>
  );
}

function SentEntry({ entry }: { entry: Entry }) {
  const { kind, state, eventId, traceId, note, time } = entry;
  const side = kind === "Browser error" || kind === "Feedback" ? "frontend" : "backend";
  return (
    <li className="sent-entry">
      <div className="sent-head">
        <h3>{kind}</h3>
        <span className={state === "Not sent" ? "pill" : "pill pill-good"}>{state}</span>
        <time dateTime={time.toISOString()}>{time.toLocaleTimeString()}</time>
      </div>
      {note && <p className="hint">{note}</p>}
      {(eventId || traceId) && (
        <dl className="ids">
          {eventId && <Id kind="event" of={kind} id={eventId} side={side} />}
          {traceId && <Id kind="trace" of={kind} id={traceId} side={side} />}
        </dl>
      )}
    </li>
  );
}

interface IdProps extends ComponentProps<typeof SentryId> {
  of: string;
}

function Id({ of, ...shown }: IdProps) {
  return (
    <div className="id">
      <dt>{shown.kind === "event" ? "Event" : "Trace"}</dt>
      <dd>
        <SentryId {...shown} />
        <CopyButton
          label="Copy"
          name={`Copy the ${shown.kind} id of the ${of.toLowerCase()}`}
          text={shown.id}
        />
      </dd>
    </div>
  );
}
