import project from "@contracts/project.json";
import { env } from "../../config/env";

interface SentryIdProps {
  kind: "event" | "trace";
  id: string;
  /** Whose event it is; traces belong to both. */
  side: "backend" | "frontend";
}

/** An id, as a link to what it names if the project's Sentry is where events go. */
export function SentryId(props: SentryIdProps) {
  const address = addressOf(props);
  const id = <code>{props.id}</code>;
  return address ? (
    <a href={address} target="_blank" rel="noreferrer">
      {id}
      <span className="visually-hidden"> in Sentry, in a new tab</span>
    </a>
  ) : (
    id
  );
}

/** The addresses are Sentry's own: both stay the same when an event moves to another issue. */
function addressOf({ kind, id, side }: SentryIdProps): string | undefined {
  const { url, organization, projects } = project.sentry;
  if (!organization || !isSentOf(env.dsn, url)) {
    return undefined;
  }
  const path =
    kind === "event" ? `projects/${projects[side]}/events/${id}` : `explore/traces/trace/${id}`;
  return `${url.replace(/\/$/, "")}/organizations/${organization}/${path}/`;
}

/** Whether a DSN leads to the Sentry at `url`, whose hosts for events lie below its own; a local viewer does not. */
function isSentOf(dsn: string, url: string): boolean {
  const [target, server] = [dsn, url].map(
    (address) => /^https?:\/\/(?:[^@/]*@)?([^/?#]+)/.exec(address)?.[1],
  );
  return Boolean(target && server && `.${target}`.endsWith(`.${server}`));
}
