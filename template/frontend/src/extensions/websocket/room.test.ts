import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { addressOf, createRoom } from "./room";

class Fake {
  static made: Fake[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;

  constructor() {
    Fake.made.push(this);
  }

  send() {}

  close() {
    this.closed = true;
  }
}

const hear = (message: object | string) =>
  Fake.made
    .at(-1)
    ?.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });

beforeEach(() => {
  vi.stubGlobal("WebSocket", Fake);
  Fake.made = [];
});

let stop = () => {};
afterEach(() => stop());

it("has one connection for all who listen, also for React's second try", async () => {
  const room = createRoom("ws://localhost/");
  room.subscribe(() => {})();
  const first = room.subscribe(() => {});
  const second = room.subscribe(() => {});
  await Promise.resolve();
  first();
  await Promise.resolve();
  expect(Fake.made.map(({ closed }) => closed)).toEqual([false]);
  second();
  await Promise.resolve();
  expect(Fake.made.map(({ closed }) => closed)).toEqual([true]);
  stop = room.subscribe(() => {});
  expect(Fake.made.map(({ closed }) => closed)).toEqual([true, false]);
});

it("keeps what was said, who said it, and the last of it only", () => {
  const room = createRoom("ws://localhost/");
  stop = room.subscribe(() => {});
  Fake.made[0]?.onopen?.();
  hear({ type: "welcome", connection_id: "me", connections: 2 });
  hear({ type: "said", sender: "me", text: "one" });
  hear({ type: "said", sender: "you", text: "two" });
  hear({ type: "error", title: "Broken", status: 500, detail: "three", event_id: "e1" });
  hear("<html>");
  hear({ type: "news" });
  expect(room.snapshot()).toMatchObject({ state: "open", connectionId: "me", connections: 2 });
  expect(room.snapshot().entries).toEqual([
    { id: 1, kind: "own", text: "one", eventId: null },
    { id: 2, kind: "other", text: "two", eventId: null },
    { id: 3, kind: "error", text: "three", eventId: "e1" },
  ]);
  for (let number = 0; number < 100; number++) {
    hear({ type: "said", sender: "you", text: `${number}` });
  }
  expect(room.snapshot().entries).toHaveLength(50);
  expect(room.snapshot().entries.at(-1)).toMatchObject({ id: 103, text: "99" });
});

it("speaks with the host of the page, encrypted where the page is", () => {
  const page = (text: string) => addressOf(new URL(text) as unknown as Location);
  expect(page("http://localhost:5173/x?y=1")).toBe("ws://localhost:5173/api/v1/ws");
  expect(page("https://app.example.com/")).toBe("wss://app.example.com/api/v1/ws");
});
