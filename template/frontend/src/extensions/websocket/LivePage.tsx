import { type FormEvent, useState } from "react";
import { SentryId } from "../../components/errors/SentryId";
import { type Entry, useWebSocket } from "./room";
import type { State } from "./socket";
import "./websocket.css";

const LONGEST = 2000;

const STATES: Record<State, { label: string; tone: string; hint: string }> = {
  connecting: { label: "Connecting", tone: "", hint: "On the way to the API." },
  open: { label: "Connected", tone: "pill-good", hint: "What you send goes to everybody here." },
  waiting: {
    label: "Reconnecting",
    tone: "pill-bad",
    hint: "The connection was lost. The page tries again by itself.",
  },
  paused: {
    label: "Paused",
    tone: "",
    hint: "The connection was lost. The page tries again once it is looked at and online.",
  },
  closed: { label: "Closed", tone: "", hint: "There is no connection." },
};

/** Shows the state of the connection, and lets a person speak. */
export function Component() {
  const { room, send } = useWebSocket();
  const { label, tone, hint } = STATES[room.state];
  const isOpen = room.state === "open";
  return (
    <>
      <header className="page-head">
        <h1>Live</h1>
        <p>Messages over a WebSocket, to every page that is connected to the same process.</p>
      </header>
      <section className="live-section" aria-labelledby="live-connection">
        <div className="live-row">
          <h2 id="live-connection">Connection</h2>
          <span className={`pill ${tone}`} role="status">
            {label}
          </span>
        </div>
        <p className="hint">{hint}</p>
        {room.connectionId && (
          <dl className="facts">
            <dt>Connection ID</dt>
            <dd>
              <code>{room.connectionId}</code>
            </dd>
            <dt>Connections</dt>
            <dd>{room.connections}</dd>
          </dl>
        )}
      </section>
      <section className="live-section" aria-labelledby="live-messages">
        <h2 id="live-messages">Messages</h2>
        <Speak isOpen={isOpen} onSay={(text) => send({ type: "say", text })} />
        <Entries entries={room.entries} />
        <p className="hint" id="live-break">
          The API can fail on purpose, while its diagnostics are open: one event arrives, with the
          ID of this connection.
        </p>
        <button
          type="button"
          className="button live-break"
          aria-describedby="live-break"
          disabled={!isOpen}
          onClick={() => send({ type: "break" })}
        >
          Break the server
        </button>
      </section>
    </>
  );
}

function Speak({ isOpen, onSay }: { isOpen: boolean; onSay: (text: string) => boolean }) {
  const [text, setText] = useState("");

  function submit(event: FormEvent) {
    event.preventDefault();
    // What could not be sent stays where it was written.
    if (text.trim() && onSay(text)) {
      setText("");
    }
  }

  return (
    <form className="live-form" onSubmit={submit}>
      <div className="field">
        <label htmlFor="live-text">Message</label>
        <input
          id="live-text"
          autoComplete="off"
          maxLength={LONGEST}
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
      </div>
      <button type="submit" className="button button-primary" disabled={!isOpen}>
        Send
      </button>
    </form>
  );
}

const SENDERS: Record<Entry["kind"], string> = { own: "You", other: "Somebody", error: "API" };

/** The newest first: what somebody says shows up below where it was written, however much there is already. */
function Entries({ entries }: { entries: readonly Entry[] }) {
  return (
    <div className="live-log" role="log" aria-labelledby="live-messages">
      {entries.length === 0 ? (
        <p className="hint">Nobody has said anything yet.</p>
      ) : (
        <ol>
          {entries.toReversed().map(({ id, kind, text, eventId }) => (
            <li key={id} className={kind === "error" ? "failure" : undefined}>
              <b>{SENDERS[kind]}</b> <span dir="auto">{text}</span>
              {eventId && (
                <p className="hint">
                  Event <SentryId kind="event" id={eventId} side="backend" />
                </p>
              )}
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
