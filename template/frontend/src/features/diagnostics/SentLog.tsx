import { CopyButton } from "../../components/CopyButton";
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
          {eventId && <Id name="Event" of={kind} value={eventId} />}
          {traceId && <Id name="Trace" of={kind} value={traceId} />}
        </dl>
      )}
    </li>
  );
}

function Id({ name, of, value }: { name: string; of: string; value: string }) {
  return (
    <div className="id">
      <dt>{name}</dt>
      <dd>
        <code>{value}</code>
        <CopyButton
          label="Copy"
          name={`Copy the ${name.toLowerCase()} id of the ${of.toLowerCase()}`}
          text={value}
        />
      </dd>
    </div>
  );
}
