"""A cheap ingest as a process of its own, so that receiving costs neither the client nor the servers anything.

The project number of the DSN decides how it behaves: see ``HEALTHY``, ``SILENT`` and ``LIMITING``.
"""

import asyncio
import gzip
import json
import sys
from collections import Counter

from harness.processes import HOST

HEALTHY, SILENT, LIMITING = 1, 2, 3

_ANSWERS = {
    HEALTHY: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    LIMITING: b"HTTP/1.1 429 Too Many Requests\r\nX-Sentry-Rate-Limits: 60::organization\r\nContent-Length: 0\r\n\r\n",
}


def kinds(body: bytes) -> list[str]:
    """Return the type of each item of an envelope."""
    found, rest = [], body.partition(b"\n")[2]
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        length = header.get("length", rest.find(b"\n"))
        found.append(header["type"])
        rest = rest[length:].lstrip(b"\n")
    return found


async def serve(port: int) -> None:
    """Answer until the process is ended. ``GET /<key>`` tells what arrived for a key, by item type."""
    arrived: dict[str, Counter[str]] = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, path, _ = head.split(" ", 2)
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if method == "GET":
                    text = json.dumps(arrived.get(path.strip("/"), {})).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
                    continue
                if headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                key = headers["x-sentry-auth"].partition("sentry_key=")[2].partition(",")[0]
                arrived.setdefault(key, Counter()).update(kinds(body))
                if answer := _ANSWERS.get(int(path.split("/")[2])):
                    writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
