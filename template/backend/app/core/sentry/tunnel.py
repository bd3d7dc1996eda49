"""The tunnel's way to Sentry: one destination, taken from the settings and from nowhere else.

It works below the HTTP client that the SDK instruments: no span, no breadcrumb and no trace header comes of it,
no redirect is followed, no cookie is kept, and nothing of the visitor's request but the envelope is passed on.
"""

import asyncio
import json
import math
import re
import time
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpx2

from app.core.sentry.delivery import open_transport

MAX_ENVELOPE_BYTES = 5 * 1024 * 1024
"""The largest envelope, as it arrives. Sentry takes events of up to 1 MB, 200 kB compressed
(https://docs.sentry.io/concepts/data-management/size-limits), and the browser's replay sends what it has collected at
20 MB at the latest, compressed to a tenth of that or less. nginx.conf.template has the same limit."""

MAX_HEADER_BYTES = 16 * 1024
"""The largest first line of an envelope; the SDK's have less than 1 kB."""

MAX_IN_FLIGHT = 20
"""How many envelopes may be on their way: bounds connections, and memory to this many of the largest."""

MAX_IN_FLIGHT_OF_CLIENT = 10
"""How many of these one client may have, so that a slow one does not keep all others out. A browser has six connections
to a host and uses them all when several things break at once; a refusal would silence its SDK for a while."""

FORWARD_SECONDS = 10.0
"""How long Sentry may take, in seconds, from connecting to the end of its answer."""

REQUESTS_PER_WINDOW = 300
"""How many envelopes a client may send within a window. The browser's SDK keeps itself far below it."""

WINDOW_SECONDS = 60.0
MAX_CLIENTS = 10_000

_PLAIN = re.compile(r"[ -~]{1,1000}")
_PASSED_ON = ("retry-after", "x-sentry-rate-limits")
_MAX_ANSWER_BYTES = 64 * 1024


class BadEnvelopeError(ValueError):
    """The first line is not the header of an envelope."""


@dataclass(frozen=True)
class Answer:
    """A status and headers for the browser; there is never a body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Tunnel:
    """Forwards envelopes to one project.

    Args:
        dsn: Of that project.
    """

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        host = parts.netloc.rpartition("@")[2]
        folder, _, project = parts.path.rpartition("/")
        # As the browser's SDK writes it: without the password that old DSNs have.
        self._dsn = f"{parts.scheme}://{parts.username}@{host}{parts.path}"
        self._url = f"{parts.scheme}://{host}{folder}/api/{project}/envelope/"
        self._headers = {
            "Content-Type": "application/x-sentry-envelope",
            "User-Agent": "tunnel",
            "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=tunnel/1, sentry_key={parts.username}",
        }
        self._transport = open_transport(self._url, MAX_IN_FLIGHT)
        self._in_flight: Counter[str] = Counter()
        self.clients = ClientLimiter()
        self.answers: Counter[int] = Counter()

    def accepts(self, dsn: str | None) -> bool:
        """Say whether an envelope for this DSN may pass: only the configured one, letter for letter."""
        return dsn == self._dsn

    @contextmanager
    def slot(self, address: str) -> Iterator[bool]:
        """Take one of the places for envelopes on their way; false means that this client gets none."""
        client = _client_of(address)
        free = self._in_flight.total() < MAX_IN_FLIGHT and self._in_flight[client] < MAX_IN_FLIGHT_OF_CLIENT
        self._in_flight[client] += free
        try:
            yield free
        finally:
            self._in_flight[client] -= free
            # Without those who have none.
            self._in_flight = +self._in_flight

    async def forward(self, envelope: bytes, *, gzipped: bool = False) -> Answer:
        """Send an envelope on and return what to tell the browser: Sentry's status and rate limits, without a body."""
        try:
            async with asyncio.timeout(FORWARD_SECONDS):
                response = await self._transport.handle_async_request(self._request(envelope, gzipped=gzipped))
                # Read to the end, so that the connection can be used again.
                with suppress(httpx2.TransportError):
                    await _discard(response)
        except TimeoutError:
            return Answer(HTTPStatus.GATEWAY_TIMEOUT)
        except (httpx2.TransportError, httpx2.InvalidURL):
            return Answer(HTTPStatus.BAD_GATEWAY)
        headers = {name: value for name in _PASSED_ON if _PLAIN.fullmatch(value := response.headers.get(name, ""))}
        if response.is_success:
            return Answer(HTTPStatus.OK, headers)
        # A redirect is no answer of Sentry's ingest, and is not followed.
        return Answer(response.status_code if response.is_error else HTTPStatus.BAD_GATEWAY, headers)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def _request(self, envelope: bytes, *, gzipped: bool) -> httpx2.Request:
        headers = self._headers | ({"Content-Encoding": "gzip"} if gzipped else {})
        return httpx2.Request("POST", self._url, headers=headers, content=envelope)


class ClientLimiter:
    """Drops the excess of one client, with bounded memory. Each worker process counts for itself.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait_for(self, address: str) -> int:
        """Count one request of a client and return for how many seconds it should stay away; 0 means: go on."""
        client, now = _client_of(address), self._clock()
        start, count = self._windows.get(client, (now, 0))
        if now - start >= WINDOW_SECONDS:
            start, count = now, 0
        self._windows[client] = (start, min(count + 1, REQUESTS_PER_WINDOW))
        self._windows.move_to_end(client)
        if len(self._windows) > MAX_CLIENTS:
            self._windows.popitem(last=False)
        return math.ceil(start + WINDOW_SECONDS - now) if count >= REQUESTS_PER_WINDOW else 0


def read_dsn(envelope: bytes, *, gzipped: bool = False) -> str | None:
    """Return the DSN that an envelope names in its first line.

    Args:
        envelope: All of it. Only its beginning is looked at, and uncompressed.
        gzipped: Whether it is compressed.

    Raises:
        BadEnvelopeError: The first line is too long, is no JSON object, or has a key twice, of which readers would
            choose different ones.
    """
    beginning = envelope[: 2 * MAX_HEADER_BYTES]
    try:
        if gzipped:
            beginning = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(beginning, MAX_HEADER_BYTES + 1)
        end = beginning.find(b"\n", 0, MAX_HEADER_BYTES + 1)
        if end < 0:
            raise BadEnvelopeError("the first line does not end")
        header = json.loads(beginning[:end].decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError, zlib.error) as error:
        raise BadEnvelopeError("the first line is not a header") from error
    if not isinstance(header, dict):
        raise BadEnvelopeError("the first line is not an object")
    dsn = header.get("dsn")
    return dsn if isinstance(dsn, str) else None


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise BadEnvelopeError("a key occurs twice")
    return dict(pairs)


def _client_of(address: str) -> str:
    """Return whom an address belongs to: one customer has 2^64 addresses of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        # A socket for both kinds of addresses writes those of IPv4 so.
        return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))
    return address


async def _discard(response: httpx2.Response) -> None:
    size = 0
    try:
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > _MAX_ANSWER_BYTES:
                break
    finally:
        await response.aclose()
