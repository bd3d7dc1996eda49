/** What the items page asks the API for, and the list that it shows. */
import { useCallback, useEffect, useState } from "react";
import { ApiError, api, bodyOf, sentenceOf } from "../../lib/api/client";

/** As many as one look takes in. */
export const PAGE = 20;

const PATH = "/api/v1/items";
const ONE = "/api/v1/items/{item_id}";

type List = Awaited<ReturnType<typeof listItems>>;
export type Item = List["items"][number];

const listItems = (offset: number, signal: AbortSignal) =>
  bodyOf(api.GET(PATH, { params: { query: { limit: PAGE, offset } }, signal }));

export const createItem = (name: string) => bodyOf(api.POST(PATH, { body: { name } }));

export const renameItem = (id: number, name: string) =>
  bodyOf(api.PATCH(ONE, { params: { path: { item_id: id } }, body: { name } }));

export async function deleteItem(id: number): Promise<void> {
  await api.DELETE(ONE, { params: { path: { item_id: id } } });
}

/** Something that did not work, as the page tells it. */
export interface Failure {
  text: string;
  eventId: string | null;
}

/** Describes an error of the API; any other error is ours and is thrown on. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ApiError) {
    const text = error.status === 422 ? "A name has 1 to 100 characters." : sentenceOf(error);
    return { text, eventId: error.eventId };
  }
  throw error;
}

/** The page of the list that has items, when the one at `offset` may have lost its last. */
export const lastOffset = (offset: number, total: number): number =>
  Math.min(offset, Math.max(0, Math.ceil(total / PAGE) - 1) * PAGE);

/** The list, which tells where it begins, and the `offset` that is asked for. `reload` asks again, and the present items stay until the answer. */
export function useItems() {
  const [offset, setOffset] = useState(0);
  const [round, setRound] = useState(0);
  const [list, setList] = useState<List & { offset: number }>();
  const [failure, setFailure] = useState<Failure>();

  useEffect(() => {
    // Asks again when it changes.
    void round;
    const request = new AbortController();
    listItems(offset, request.signal)
      .then((answer) => {
        setList({ ...answer, offset });
        setFailure(undefined);
        setOffset(lastOffset(offset, answer.total));
      })
      .catch((error: unknown) => request.signal.aborted || setFailure(failureOf(error)));
    return () => request.abort();
  }, [offset, round]);

  const reload = useCallback(() => {
    // So that somebody who tries again sees that something happens, also when it fails again.
    setFailure(undefined);
    setRound((last) => last + 1);
  }, []);
  return { list, failure, offset, show: setOffset, reload };
}
