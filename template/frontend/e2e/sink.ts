/** A server on the loopback that takes envelopes as Sentry does and keeps them; `GET /received` tells what came. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";

// biome-ignore lint/suspicious/noExplicitAny: Sentry's payloads, of which each test looks at a few fields.
export type Payload = any;

export interface Item {
  header: Payload;
  /** As it came; a recording without its compression. */
  text: string;
}

/** An envelope and the project of the DSN it was sent to. */
export interface Received {
  project: number;
  /** Who sent it: the browser itself, the API on its own behalf, or the API's tunnel. */
  agent: string;
  header: Payload;
  items: Item[];
  /** All of it as text, without any compression: where a secret would be found. */
  text: string;
}

export async function startSink() {
  /** As texts: the whole is asked for often, and this process serves the pages too. */
  const received: string[] = [];
  const server = createServer(async (request, response) => {
    const project = request.url?.match(/^\/api\/(\d+)\/envelope\//)?.[1];
    const bytes = await read(request);
    response.setHeader("access-control-allow-origin", "*");
    if (project && request.method === "POST") {
      const agent = request.headers["user-agent"] ?? "";
      const envelope: Received = { project: Number(project), agent, ...parseEnvelope(bytes) };
      received.push(JSON.stringify(envelope));
      response.end();
    } else {
      response.end(`[${received.join()}]`);
    }
  });
  // Node closes a connection after five idle seconds, and what is sent at that very moment is lost.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => server.close() };
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  switch (request.headers["content-encoding"]) {
    case "gzip":
      return gunzipSync(bytes);
    case "br":
      return brotliDecompressSync(bytes);
    default:
      return bytes;
  }
}

/** https://develop.sentry.dev/sdk/foundations/transport/envelopes/#serialization-format */
function parseEnvelope(bytes: Buffer): Pick<Received, "header" | "items" | "text"> {
  let position = 0;
  const take = (length: number) => {
    const part = bytes.subarray(position, position + length);
    // A line break follows.
    position += length + 1;
    return part;
  };
  const restOfLine = () => {
    const end = bytes.indexOf("\n", position);
    return (end < 0 ? bytes.length : end) - position;
  };
  const firstLine = take(restOfLine()).toString();
  const items: Item[] = [];
  while (position < bytes.length) {
    const header = JSON.parse(take(restOfLine()).toString());
    const payload = take(header.length ?? restOfLine());
    items.push({ header, text: textOf(header.type, payload) });
  }
  const lines = items.flatMap(({ header, text }) => [JSON.stringify(header), text]);
  return { header: JSON.parse(firstLine), items, text: [firstLine, ...lines].join("\n") };
}

function textOf(type: string, payload: Buffer): string {
  if (type !== "replay_recording") {
    return payload.toString();
  }
  // A line of headers, then the events, which zlib may have compressed.
  const begin = payload.indexOf("\n") + 1;
  const events = payload.subarray(begin);
  const isPlain = events.subarray(0, 1).toString() === "[";
  return (
    payload.subarray(0, begin).toString() + (isPlain ? events : inflateSync(events)).toString()
  );
}
