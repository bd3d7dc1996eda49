import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { browserSettings, onChange, sdkState } from "../../lib/sentry";
import { backendSettings, explain } from "./experiments";

type BackendSettings = Awaited<ReturnType<typeof backendSettings>>;

/** How Sentry is set up in the browser and in the API, side by side. */
export function Configuration() {
  return (
    <section className="section" aria-labelledby="configuration-title">
      <h2 id="configuration-title">Configuration</h2>
      <div className="cards">
        <Browser />
        <Backend />
      </div>
    </section>
  );
}

function Browser() {
  const state = useSyncExternalStore(onChange, sdkState);
  const settings = browserSettings();

  if (state === "off") {
    return (
      <Card title="Browser" tone="quiet" state="Off">
        <p className="hint">
          Sentry is off in the browser: <code>VITE_SENTRY_DSN</code> is empty.
        </p>
      </Card>
    );
  }
  if (state === "failed") {
    return (
      <Card title="Browser" tone="bad" state="Not loaded">
        <p className="hint">
          The Sentry SDK could not be loaded. A content blocker or the network may be in the way.
        </p>
      </Card>
    );
  }
  return (
    <Card title="Browser" tone={settings ? "good" : "quiet"} state={settings ? "On" : "Starting"}>
      {settings && (
        <dl className="settings">
          <Setting name="Environment">{settings.environment}</Setting>
          <Setting name="Release">
            <code>{settings.release || "unknown"}</code>
          </Setting>
          <Setting name="Errors">{percent(settings.errorSampleRate)}</Setting>
          <Setting name="Traces">{percent(settings.tracesSampleRate)} of visits</Setting>
          <Setting name="Replays">{percent(settings.replaysOnErrorSampleRate)} of visits</Setting>
          <Setting name="Sent via">
            {settings.tunnel ? <code>{settings.tunnel}</code> : "direct"}
          </Setting>
        </dl>
      )}
    </Card>
  );
}

function Backend() {
  const [settings, setSettings] = useState<BackendSettings | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useSyncExternalStore(onChange, sdkState);
  useEffect(() => {
    const request = new AbortController();
    backendSettings(request.signal)
      .then(setSettings)
      .catch((error: unknown) => !request.signal.aborted && setProblem(explain(error)));
    return () => request.abort();
  }, []);

  if (problem) {
    return (
      <Card title="API" tone="bad" state="Unknown">
        <p className="hint">{problem}</p>
      </Card>
    );
  }
  if (!settings) {
    return <Card title="API" tone="quiet" state="Asking" />;
  }
  const on = settings.sentry_configured;
  // A path leads to this API; an address may lead elsewhere.
  const losesPageEvents = !settings.tunnel && browserSettings()?.tunnel.startsWith("/");
  return (
    <Card title="API" tone={on ? "good" : "quiet"} state={on ? "On" : "Off"}>
      {!on && (
        <p className="hint">
          Sentry is off in the API: <code>SENTRY_DSN</code> is empty.
        </p>
      )}
      {losesPageEvents && (
        <p className="warning">
          The page sends its events to the tunnel, which is off: they are lost. Give the API{" "}
          <code>VITE_SENTRY_DSN</code>, or the page an empty <code>VITE_SENTRY_TUNNEL</code>.
        </p>
      )}
      <dl className="settings">
        <Setting name="Environment">{settings.environment}</Setting>
        <Setting name="Release">
          <code>{settings.release || "unknown"}</code>
        </Setting>
        <Setting name="Traces">{percent(settings.traces_sample_rate)} of requests</Setting>
        <Setting name="Profiles">{percent(settings.profiles_sample_rate)} of processes</Setting>
        {on && <Setting name="Collected">{collected(settings)}</Setting>}
        <Setting name="Tunnel">{settings.tunnel ? "on" : "off"}</Setting>
      </dl>
    </Card>
  );
}

/** What goes with an error, besides its stack trace. */
const collected = (settings: BackendSettings) =>
  [
    `${settings.max_breadcrumbs} breadcrumbs`,
    settings.logs && "logs",
    settings.local_variables && "local variables",
    settings.request_bodies && "request bodies",
    settings.send_default_pii && "personal data",
  ]
    .filter(Boolean)
    .join(", ");

const percent = (rate: number | null | undefined) =>
  rate === null || rate === undefined ? "none" : `${Number((rate * 100).toFixed(2))} %`;

interface CardProps {
  title: string;
  tone: "good" | "bad" | "quiet";
  state: string;
  children?: ReactNode;
}

function Card({ title, tone, state, children }: CardProps) {
  return (
    <article className="card">
      <header className="card-head">
        <h3>{title}</h3>
        <span className={`pill pill-${tone}`}>{state}</span>
      </header>
      {children}
    </article>
  );
}

function Setting({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="setting">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
