import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { SentryId } from "../../components/errors/SentryId";
import {
  createItem,
  deleteItem,
  type Failure,
  failureOf,
  type Item,
  PAGE,
  renameItem,
  useItems,
} from "./items";
import "./items.css";

/** An example of a page on the database: a list whose entries are created, renamed and deleted. */
export function Component() {
  const { list, failure, offset, show, reload } = useItems();
  return (
    <>
      <header className="page-head">
        <h1>Items</h1>
        <p className="hint">An example on the database: make it yours, or take it out.</p>
      </header>
      <section className="items" aria-labelledby="items-title">
        <h2 id="items-title" className="visually-hidden">
          All items
        </h2>
        <NewItem onCreated={() => (offset === 0 ? reload() : show(0))} />
        {failure && <FailureNote failure={failure} onRetry={reload} />}
        {!list && !failure && <p role="status">Loading</p>}
        {list?.total === 0 && <p role="status">There are no items yet.</p>}
        {list && list.total > 0 && (
          <>
            <ul className="items-list">
              {list.items.map((item) => (
                <Row key={item.id} item={item} onChanged={reload} />
              ))}
            </ul>
            <Pages offset={list.offset} total={list.total} onShow={show} />
          </>
        )}
      </section>
    </>
  );
}

/** Does one thing at a time, and keeps what went wrong. */
function useWork() {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();

  async function run(work: () => Promise<unknown>): Promise<boolean> {
    if (busy) {
      return false;
    }
    setBusy(true);
    setFailure(undefined);
    try {
      await work();
      return true;
    } catch (error) {
      setFailure(failureOf(error));
      return false;
    } finally {
      setBusy(false);
    }
  }
  return { busy, failure, run };
}

function NewItem({ onCreated }: { onCreated: () => void }) {
  const [name, setName] = useState("");
  const { busy, failure, run } = useWork();
  const field = useId();

  async function create(event: FormEvent) {
    event.preventDefault();
    if (await run(() => createItem(name))) {
      // Unless the next one has been typed meanwhile.
      setName((present) => (present === name ? "" : present));
      onCreated();
    }
  }

  return (
    <>
      <form className="items-form" onSubmit={create}>
        <div className="field">
          <label htmlFor={field}>New item</label>
          <input
            id={field}
            value={name}
            maxLength={100}
            required
            autoComplete="off"
            onChange={(event) => setName(event.target.value)}
          />
        </div>
        <button type="submit" className="button button-primary" aria-busy={busy}>
          Create
        </button>
      </form>
      {failure && <FailureNote failure={failure} />}
    </>
  );
}

function Row({ item, onChanged }: { item: Item; onChanged: () => void }) {
  const [name, setName] = useState<string>();
  const { busy, failure, run } = useWork();
  const rename = useRef<HTMLButtonElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const isEdited = name !== undefined;
  const wasEdited = useRef(false);

  useEffect(() => {
    // Once, when the form opens, and back when it closes: not whenever the list is shown anew.
    if (isEdited) {
      field.current?.focus();
    } else if (wasEdited.current) {
      rename.current?.focus();
    }
    wasEdited.current = isEdited;
  }, [isEdited]);

  const close = () => setName(undefined);

  async function save(event: FormEvent) {
    event.preventDefault();
    if (name !== undefined && (await run(() => renameItem(item.id, name)))) {
      close();
      onChanged();
    }
  }

  async function remove() {
    if (await run(() => deleteItem(item.id))) {
      onChanged();
    }
  }

  return (
    <li className="items-row">
      {name === undefined ? (
        <div className="items-line">
          <span dir="auto">{item.name}</span>
          <time dateTime={item.created_at}>{new Date(item.created_at).toLocaleString()}</time>
          <button
            type="button"
            ref={rename}
            className="button button-small"
            aria-label={`Rename ${item.name}`}
            onClick={() => setName(item.name)}
          >
            Rename
          </button>
          <button
            type="button"
            className="button button-small"
            aria-label={`Delete ${item.name}`}
            aria-busy={busy}
            onClick={remove}
          >
            Delete
          </button>
        </div>
      ) : (
        <form className="items-form" onSubmit={save}>
          <div className="field">
            <input
              ref={field}
              aria-label={`New name of ${item.name}`}
              value={name}
              maxLength={100}
              required
              autoComplete="off"
              onChange={(event) => setName(event.target.value)}
            />
          </div>
          <button type="submit" className="button button-primary" aria-busy={busy}>
            Save
          </button>
          <button type="button" className="button" onClick={close}>
            Cancel
          </button>
        </form>
      )}
      {failure && <FailureNote failure={failure} />}
    </li>
  );
}

interface PagesProps {
  offset: number;
  total: number;
  onShow: (offset: number) => void;
}

function Pages({ offset, total, onShow }: PagesProps) {
  return (
    <nav className="items-pages" aria-label="Pages of the list">
      <p className="hint" role="status">
        {offset + 1} to {Math.min(offset + PAGE, total)} of {total}
      </p>
      {offset > 0 && (
        <button type="button" className="button button-small" onClick={() => onShow(offset - PAGE)}>
          Newer
        </button>
      )}
      {offset + PAGE < total && (
        <button type="button" className="button button-small" onClick={() => onShow(offset + PAGE)}>
          Older
        </button>
      )}
    </nav>
  );
}

/** What went wrong, with the event that the API has sent about it. */
function FailureNote({ failure, onRetry }: { failure: Failure; onRetry?: () => void }) {
  return (
    <div className="failure items-failure" role="alert">
      <p>{failure.text}</p>
      {failure.eventId && (
        <p>
          Event <SentryId kind="event" id={failure.eventId} side="backend" />
        </p>
      )}
      {onRetry && (
        <button type="button" className="button button-small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
