import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  FIRST_PAUSE,
  LONGEST_PAUSE,
  openSocket,
  PING_EVERY,
  PONG_WITHIN,
  type Socket,
  type State,
} from "./socket";

/** Stands where the browser's class stands: the browser tests use the real one. */
class Fake {
  static made: Fake[] = [];
  sent: string[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(readonly url: string) {
    Fake.made.push(this);
  }

  send(text: string) {
    this.sent.push(text);
  }

  close() {
    this.closed = true;
  }

  static get last(): Fake {
    const last = Fake.made.at(-1);
    if (!last) {
      throw new Error("No connection was made");
    }
    return last;
  }
}

let states: State[];
let messages: string[];
let socket: Socket;

const open = () => {
  socket = openSocket("ws://localhost/api/v1/ws", {
    onState: (state) => states.push(state),
    onMessage: (text) => messages.push(text),
  });
};

const look = (visible: boolean, online = true) => {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(visible ? "visible" : "hidden");
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(online);
  document.dispatchEvent(new Event("visibilitychange"));
  window.dispatchEvent(new Event(online ? "online" : "offline"));
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Fake);
  vi.spyOn(Math, "random").mockReturnValue(1);
  Fake.made = [];
  states = [];
  messages = [];
});

afterEach(() => {
  socket.close();
  vi.useRealTimers();
});

describe("the socket", () => {
  it("connects, sends and hears", () => {
    open();
    expect(socket.send("early")).toBe(false);
    Fake.last.onopen?.();
    expect(socket.send("hello")).toBe(true);
    Fake.last.onmessage?.({ data: "heard" });
    expect(states).toEqual(["connecting", "open"]);
    expect(Fake.last.sent).toEqual(["hello"]);
    expect(messages).toEqual(["heard"]);
  });

  it("comes back after pauses that double up to a limit", () => {
    open();
    const pauses = [1, 2, 4, 8, 16, 30, 30].map((seconds) => seconds * 1000);
    expect([pauses[0], pauses.at(-1)]).toEqual([FIRST_PAUSE, LONGEST_PAUSE]);
    for (const [attempt, pause] of pauses.entries()) {
      Fake.last.onclose?.();
      expect(states.at(-1)).toBe("waiting");
      vi.advanceTimersByTime(pause - 1);
      expect(Fake.made).toHaveLength(attempt + 1);
      vi.advanceTimersByTime(1);
      expect(Fake.made).toHaveLength(attempt + 2);
    }
  });

  it("shortens a pause by up to a half, by chance", () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    open();
    Fake.last.onclose?.();
    vi.advanceTimersByTime(FIRST_PAUSE / 2 - 1);
    expect(Fake.made).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(Fake.made).toHaveLength(2);
  });

  it("begins with a short pause again after a message, and not after an opening alone", () => {
    open();
    for (const pause of [1000, 2000]) {
      Fake.last.onopen?.();
      Fake.last.onclose?.();
      vi.advanceTimersByTime(pause);
    }
    expect(Fake.made).toHaveLength(3);
    Fake.last.onopen?.();
    Fake.last.onmessage?.({ data: "welcome" });
    Fake.last.onclose?.();
    vi.advanceTimersByTime(FIRST_PAUSE);
    expect(Fake.made).toHaveLength(4);
  });

  it.each([
    ["is hidden", () => look(false), () => look(true)],
    ["has no network", () => look(true, false), () => look(true)],
  ])("does not try while the page %s, and then does", (_, leave, comeBack) => {
    open();
    Fake.last.onopen?.();
    leave();
    expect(states).toEqual(["connecting", "open"]);
    Fake.last.onclose?.();
    expect(states.at(-1)).toBe("paused");
    vi.advanceTimersByTime(10 * LONGEST_PAUSE);
    expect(Fake.made).toHaveLength(1);
    comeBack();
    vi.advanceTimersByTime(FIRST_PAUSE);
    expect(Fake.made).toHaveLength(2);
  });

  it("gives up a pause when the page is left, and begins one when it is back", () => {
    open();
    Fake.last.onclose?.();
    look(false);
    expect(states.at(-1)).toBe("paused");
    vi.advanceTimersByTime(LONGEST_PAUSE);
    look(true);
    vi.advanceTimersByTime(LONGEST_PAUSE);
    expect(Fake.made).toHaveLength(2);
  });

  it("makes no pause longer for somebody who comes and goes", () => {
    open();
    Fake.last.onclose?.();
    for (let visit = 0; visit < 5; visit++) {
      look(false);
      look(true);
    }
    vi.advanceTimersByTime(FIRST_PAUSE);
    expect(Fake.made).toHaveLength(2);
  });

  it("does not even begin while nobody looks", () => {
    look(false);
    open();
    expect(Fake.made).toEqual([]);
    expect(states).toEqual(["paused"]);
  });

  it("asks now and then, and leaves a server that does not answer", () => {
    open();
    Fake.last.onopen?.();
    vi.advanceTimersByTime(PING_EVERY);
    expect(Fake.last.sent).toEqual(['{"type":"ping"}']);
    Fake.last.onmessage?.({ data: "pong" });
    vi.advanceTimersByTime(PONG_WITHIN);
    expect(states.at(-1)).toBe("open");
    vi.advanceTimersByTime(PING_EVERY - PONG_WITHIN);
    vi.advanceTimersByTime(PONG_WITHIN);
    expect(states.at(-1)).toBe("waiting");
    expect(Fake.made[0]?.closed).toBe(true);
    vi.advanceTimersByTime(FIRST_PAUSE);
    expect(Fake.made).toHaveLength(2);
  });

  it("stays closed once it is closed, and listens to nothing any more", () => {
    open();
    Fake.last.onopen?.();
    const { onclose } = Fake.last;
    socket.close();
    onclose?.();
    look(false);
    look(true);
    vi.advanceTimersByTime(10 * LONGEST_PAUSE);
    expect(Fake.made).toHaveLength(1);
    expect(Fake.last.closed).toBe(true);
    expect(states.at(-1)).toBe("closed");
    expect(vi.getTimerCount()).toBe(0);
    expect(socket.send("late")).toBe(false);
  });
});
