/** When a visit is recorded: from the first sign of a person on, if it is picked. */
import type { Client } from "@sentry/core";
import { letRecordingsPass } from "./transport";

/** Signs of a person in the page. A scrollbar is a pointer's; a scroll event comes from the browser itself, too. */
const SIGNS = ["pointerdown", "keydown", "wheel"];

/** Has replay begin when somebody touches the page, in this share of visits: 0 to 1. Other pages do not pay for it. */
export function offerReplay(client: Client, rate: number): void {
  if (isPicked(rate)) {
    atFirstSign(() => loadReplay(client));
  }
}

/** Whether this visit may be recorded: it is picked at random, and people who save data are left alone. */
const isPicked = (rate: number) =>
  Math.random() < rate && !Reflect.get(Reflect.get(navigator, "connection") ?? {}, "saveData");

function atFirstSign(task: () => void): void {
  const begin = () => {
    for (const sign of SIGNS) {
      removeEventListener(sign, begin, true);
    }
    task();
  };
  for (const sign of SIGNS) {
    addEventListener(sign, begin, { capture: true, passive: true });
  }
}

/** Fetches replay. Without the chunk there is none, and nothing else is missing. */
function loadReplay(client: Client): void {
  import("./replay")
    .then(({ startReplay, ...recordings }) => {
      letRecordingsPass(recordings);
      startReplay(client);
    })
    .catch(() => undefined);
}
