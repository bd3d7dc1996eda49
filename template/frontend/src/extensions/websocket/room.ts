/** The room as the page sees it: a store that is connected while somebody listens to it. */
import { useState, useSyncExternalStore } from "react";
import { addBreadcrumb } from "../../lib/sentry";
import { openSocket, type Socket, type State } from "./socket";

/** What the server sends; `messages.py` of the API has the same. */
type ServerMessage =
  | { type: "welcome"; connection_id: string; connections: number }
  | { type: "pong"; connections: number }
  | { type: "said"; sender: string; text: string }
  | { type: "error"; title: string; status: number; detail: string; event_id: string | null };

type ClientMessage = { type: "say"; text: string } | { type: "break" } | { type: "ping" };

export interface Entry {
  id: number;
  kind: "own" | "other" | "error";
  text: string;
  /** The event that the API has sent about it. */
  eventId: string | null;
}

export interface Room {
  state: State;
  connectionId: string | null;
  /** How many connections the API's process holds. */
  connections: number | null;
  /** The last messages, the newest last. */
  entries: readonly Entry[];
}

const KEPT = 50;
const NOBODY: Room = { state: "closed", connectionId: null, connections: null, entries: [] };

function parse(text: string): ServerMessage | null {
  try {
    return JSON.parse(text);
  } catch {
    // What a proxy says is no message of ours.
    return null;
  }
}

export function createRoom(url: string) {
  let room = NOBODY;
  let socket: Socket | null = null;
  const subscribers = new Set<() => void>();

  function change(changes: Partial<Room>): void {
    room = { ...room, ...changes };
    for (const notify of subscribers) {
      notify();
    }
  }

  function add(kind: Entry["kind"], text: string, eventId: string | null = null): void {
    const id = (room.entries.at(-1)?.id ?? 0) + 1;
    change({ entries: [...room.entries, { id, kind, text, eventId }].slice(-KEPT) });
  }

  function onState(state: State): void {
    addBreadcrumb(`WebSocket: ${state}`, "websocket");
    change(state === "open" ? { state } : { state, connectionId: null, connections: null });
  }

  function onMessage(text: string): void {
    const message = parse(text);
    switch (message?.type) {
      case "welcome":
        change({ connectionId: message.connection_id, connections: message.connections });
        break;
      case "pong":
        change({ connections: message.connections });
        break;
      case "said":
        add(message.sender === room.connectionId ? "own" : "other", message.text);
        break;
      case "error":
        add("error", message.detail, message.event_id);
        break;
    }
  }

  return {
    snapshot: () => room,
    /** Connects for the first who listens, and hangs up after the last. */
    subscribe(notify: () => void): () => void {
      subscribers.add(notify);
      socket ??= openSocket(url, { onState, onMessage });
      return () => {
        subscribers.delete(notify);
        // Not at once: in development React leaves and comes back in one go, which shall be no second connection.
        queueMicrotask(() => {
          if (subscribers.size === 0) {
            socket?.close();
            socket = null;
          }
        });
      };
    },
    /** Sends a message; false when there is no connection. */
    send: (message: ClientMessage): boolean => socket?.send(JSON.stringify(message)) ?? false,
  };
}

/** The address of the endpoint, on the host that served the page. */
export const addressOf = ({ protocol, host }: Location): string =>
  `${protocol === "https:" ? "wss" : "ws"}://${host}/api/v1/ws`;

/** The room, connected while the component is there: `const { room, send } = useWebSocket()`. */
export function useWebSocket(url = addressOf(location)) {
  const [store] = useState(() => createRoom(url));
  return { room: useSyncExternalStore(store.subscribe, store.snapshot), send: store.send };
}
