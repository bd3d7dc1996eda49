/** A WebSocket that comes back: after a pause that grows, and not while nobody looks or there is no network. */

export type State =
  /** On the way. */
  | "connecting"
  | "open"
  /** Lost; tries again after a pause. */
  | "waiting"
  /** Lost; tries again when the page is looked at and there is a network. */
  | "paused"
  /** Closed by this page. */
  | "closed";

interface Listeners {
  onState: (state: State) => void;
  onMessage: (text: string) => void;
}

export interface Socket {
  /** Sends a message; false when there is no connection. */
  send: (text: string) => boolean;
  close: () => void;
}

/** The longest pause before the first attempt to come back, in milliseconds; each further one doubles it. */
export const FIRST_PAUSE = 1000;
export const LONGEST_PAUSE = 30_000;
/** How often the server is asked whether it is still there, and how long it may take to answer. */
export const PING_EVERY = 25_000;
export const PONG_WITHIN = 10_000;

const PING = JSON.stringify({ type: "ping" });

/** Connects, and stays connected until `close` is called. */
export function openSocket(url: string, { onState, onMessage }: Listeners): Socket {
  let socket: WebSocket | null = null;
  let attempt = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let ping: ReturnType<typeof setInterval> | undefined;
  let pong: ReturnType<typeof setTimeout> | undefined;
  let state: State = "connecting";

  const become = (next: State) => {
    state = next;
    onState(next);
  };
  const isUsable = () => navigator.onLine && document.visibilityState !== "hidden";

  function connect(): void {
    become("connecting");
    const current = new WebSocket(url);
    socket = current;
    current.onopen = () => {
      become("open");
      ping = setInterval(ask, PING_EVERY);
    };
    current.onmessage = ({ data }) => {
      // Only now: a server that accepts and breaks at once must not be asked ever faster.
      attempt = 0;
      clearTimeout(pong);
      onMessage(String(data));
    };
    current.onclose = () => lose(current);
  }

  /** A connection of which the other side is gone without a word looks open for minutes. */
  function ask(): void {
    const asked = socket;
    asked?.send(PING);
    clearTimeout(pong);
    pong = setTimeout(() => asked && lose(asked), PONG_WITHIN);
  }

  function drop(): void {
    clearInterval(ping);
    clearTimeout(pong);
    clearTimeout(retry);
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
      socket = null;
    }
  }

  function lose(lost: WebSocket): void {
    if (lost === socket) {
      drop();
      comeBack();
    }
  }

  function comeBack(): void {
    if (!isUsable()) {
      become("paused");
      return;
    }
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempt);
    become("waiting");
    const tryAgain = () => {
      attempt += 1;
      connect();
    };
    // Half of it by chance: when a server comes back, not everybody shall come at once.
    retry = setTimeout(tryAgain, pause * (0.5 + Math.random() / 2));
  }

  function reconsider(): void {
    if (state === "waiting" && !isUsable()) {
      clearTimeout(retry);
      become("paused");
    } else if (state === "paused" && isUsable()) {
      comeBack();
    }
  }

  const leave = new AbortController();
  const { signal } = leave;
  for (const event of ["online", "offline"]) {
    window.addEventListener(event, reconsider, { signal });
  }
  document.addEventListener("visibilitychange", reconsider, { signal });
  if (isUsable()) {
    connect();
  } else {
    become("paused");
  }

  return {
    send(text) {
      if (state !== "open") {
        return false;
      }
      socket?.send(text);
      return true;
    },
    close() {
      leave.abort();
      drop();
      become("closed");
    },
  };
}
