import { type FormEvent, useState } from "react";
import { SentryId } from "../../components/errors/SentryId";
import { ApiError, sentenceOf } from "../../lib/api/client";
import { refresh, type Session, signIn, signOut, type User, useSession } from "./session";
import "./auth.css";

const LONGEST = 80;

interface Trouble {
  text: string;
  eventId: string | null;
}

/** What went wrong, for a person. */
function troubleOf(error: unknown): Trouble {
  if (!(error instanceof ApiError)) {
    throw error;
  }
  const text =
    error.status === 404
      ? "There is no sign-in for development here. Send people to your provider instead."
      : sentenceOf(error);
  return { text, eventId: error.eventId };
}

/** Shows who is signed in, or lets somebody sign in. */
export function Component() {
  const session = useSession();
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [busy, setBusy] = useState(false);

  function run(work: () => Promise<void>) {
    if (busy) {
      return;
    }
    setBusy(true);
    setTrouble(null);
    void work()
      .catch((error: unknown) => setTrouble(troubleOf(error)))
      .finally(() => setBusy(false));
  }

  function leave() {
    // Whatever went wrong was about somebody else.
    setTrouble(null);
    signOut();
  }

  return (
    <>
      <header className="page-head">
        <h1>Account</h1>
        <p>Who is signed in, as the API sees it. The page tells Sentry the ID and nothing else.</p>
      </header>
      <section className="account" aria-label="Account">
        {/* One place for whoever is there: what appears as a whole is not read out. */}
        <p role="status">
          <State session={session} />
        </p>
        {session.user ? (
          <Present user={session.user} busy={busy} onAsk={() => run(refresh)} onLeave={leave} />
        ) : (
          <Form busy={busy} onSignIn={(name) => run(() => signIn(name))} />
        )}
        {trouble && (
          <div className="failure" role="alert">
            <p>{trouble.text}</p>
            {trouble.eventId && (
              <p>
                Event <SentryId kind="event" id={trouble.eventId} side="backend" />
              </p>
            )}
          </div>
        )}
      </section>
    </>
  );
}

function State({ session: { user, hasExpired } }: { session: Session }) {
  if (!user) {
    return hasExpired ? "The sign-in has expired. Sign in again." : "Nobody is signed in.";
  }
  return (
    <>
      Signed in as <b dir="auto">{user.name ?? user.email ?? user.id}</b>
    </>
  );
}

interface PresentProps {
  user: User;
  busy: boolean;
  onAsk: () => void;
  onLeave: () => void;
}

function Present({ user, busy, onAsk, onLeave }: PresentProps) {
  return (
    <>
      <dl className="facts">
        <dt>ID</dt>
        <dd>
          <code>{user.id}</code>
        </dd>
      </dl>
      <div className="account-ways">
        <button type="button" className="button" aria-busy={busy} onClick={onAsk}>
          Ask again
        </button>
        <button type="button" className="button" onClick={onLeave}>
          Sign out
        </button>
      </div>
    </>
  );
}

function Form({ busy, onSignIn }: { busy: boolean; onSignIn: (name: string) => void }) {
  const [name, setName] = useState("");

  function submit(event: FormEvent) {
    event.preventDefault();
    if (name.trim()) {
      onSignIn(name.trim());
    }
  }

  return (
    <form className="account-form" onSubmit={submit}>
      <div className="field">
        <label htmlFor="account-name">Name</label>
        <input
          id="account-name"
          autoComplete="username"
          maxLength={LONGEST}
          required
          value={name}
          onChange={({ target }) => setName(target.value)}
        />
      </div>
      <button type="submit" className="button button-primary" aria-busy={busy}>
        Sign in
      </button>
      <p className="hint">In development any name will do, and there is no password.</p>
    </form>
  );
}
