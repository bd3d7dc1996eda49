/**
 * Replay, a chunk of its own: what a person did in the minute before an error, drawn without anything that was there
 * to read. It keeps its recording in the page until there is an error, and forgets the oldest of it.
 */
import type { Client } from "@sentry/core";
import { replayIntegration } from "@sentry/replay";

export { redactRecording } from "./recording";

/** Compresses a recording as Sentry expects it (https://develop.sentry.dev/sdk/telemetry/replays): all but its first line. */
export async function compressRecording(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const begin = bytes.indexOf(10) + 1;
  const events = new Blob([bytes.subarray(begin)]).stream();
  const packed = await new Response(
    events.pipeThrough(new CompressionStream("deflate")),
  ).arrayBuffer();
  const result = new Uint8Array(begin + packed.byteLength);
  result.set(bytes.subarray(0, begin));
  result.set(new Uint8Array(packed), begin);
  return result;
}

/** Keeps feedback from sending what is recorded: only an error does. No replay has this id. */
const NO_REPLAY = "0";

/**
 * Begins to record. The visit has been picked already, so every error from now on takes its replay along. The transport
 * lets it pass with `redactRecording` only.
 */
export function startReplay(client: Client): void {
  const replay = replayIntegration({
    maskAllText: true,
    maskAllInputs: true,
    blockAllMedia: true,
    networkCaptureBodies: false,
    // The transport must be able to read the recording; it compresses it afterwards.
    useCompression: false,
    // Nothing is left in the browser's storage.
    stickySession: false,
    // An error soon after the beginning has a replay too.
    minReplayDuration: 0,
  });
  client.on("preprocessEvent", (event) => {
    if (event.type === "feedback" && replay.getRecordingMode() === "buffer") {
      Object.assign(event.contexts?.feedback ?? {}, { replay_id: NO_REPLAY });
    }
  });
  client.on("postprocessEvent", (event) => {
    if (event.contexts?.feedback?.replay_id === NO_REPLAY) {
      delete event.contexts.feedback.replay_id;
    }
  });
  client.addIntegration(replay);
}
