"""What became of everything that was captured: how much arrived, how much was lost, why, and whether Sentry answers.

Numbers, times and fixed words only: nothing of an event, of an answer's body or of the DSN is kept.
"""

import asyncio
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

logger = logging.getLogger(__name__)

MAX_REASONS = 100
"""How many reasons are told apart. They come from code and are few; this keeps a mistake from using memory."""

OTHER = "other"

PROBE_SECONDS = 3.0
"""How long Sentry may take to answer a probe, in seconds."""

PROBE_LIFETIME_SECONDS = 30.0
"""How long an answer counts, in seconds: however often a monitor asks here, Sentry is not asked more often."""

DroppedBy = Literal["filter", "limiter", "sampler", "scrubber", "transport"]


@dataclass(frozen=True)
class DeliveryReport:
    """Counts since the process started.

    Attributes:
        sent: Envelope items that Sentry took: an event, a trace, a batch of logs.
        last_delivery: When it last took something, UTC.
        last_error: The status or the kind of error of the last delivery that failed, such as ``HTTP 429``.
        last_error_time: When that was, UTC. Earlier than ``last_delivery`` means that it is over.
        dropped: How many were not sent, by who dropped them and why, such as ``filter: client-error``.
    """

    sent: int
    last_delivery: datetime | None
    last_error: str | None
    last_error_time: datetime | None
    dropped: dict[str, int]


class Delivery:
    """Counts deliveries and losses. Safe to use from any thread, with bounded memory."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again at zero, as a forked process does, in which nobody will ever give back a lock that was taken."""
        self._lock = threading.RLock()
        self._sent = 0
        self._last_delivery: datetime | None = None
        self._last_error: str | None = None
        self._last_error_time: datetime | None = None
        self._dropped: Counter[str] = Counter()

    def count_sent(self, quantity: int = 1) -> None:
        """Count items that Sentry took."""
        with self._lock:
            self._sent += quantity
            self._last_delivery = datetime.now(UTC)

    def count_error(self, error: str) -> None:
        """Remember why a delivery failed: a status or the name of an exception's class, never a text with values."""
        with self._lock:
            self._last_error = error
            self._last_error_time = datetime.now(UTC)

    def count_dropped(self, by: DroppedBy, reason: str, quantity: int = 1) -> None:
        """Count what is not sent, by who decided so and why."""
        key = f"{by}: {reason}"
        with self._lock:
            if key not in self._dropped and len(self._dropped) >= MAX_REASONS:
                key = OTHER
            self._dropped[key] += quantity

    def report(self) -> DeliveryReport:
        """Return the counts."""
        with self._lock:
            return DeliveryReport(
                sent=self._sent,
                last_delivery=self._last_delivery,
                last_error=self._last_error,
                last_error_time=self._last_error_time,
                dropped=dict(sorted(self._dropped.items())),
            )


delivery = Delivery()
"""The process's own."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=delivery.reset)


def open_transport(url: str, connections: int) -> httpx2.AsyncHTTPTransport:
    """Return a way to Sentry's host for requests that are not the SDK's.

    It lies below the client that the SDK instruments: no span, no breadcrumb, no trace header, no redirect, no cookie.
    A proxy that is no address is told and left out.

    Args:
        url: Where it leads to; decides about the proxy that ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` name.
        connections: How many are open at most.
    """
    parts = urlsplit(url)
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    if proxy and not _is_address(proxy):
        tell_bad_proxy()
        proxy = None
    # Other kinds of proxies need more packages.
    is_supported = (proxy or "").startswith(("http://", "https://"))
    return httpx2.AsyncHTTPTransport(limits=limits, proxy=proxy if is_supported else None)


def _is_address(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def tell_bad_proxy() -> None:
    """Log that the environment names a proxy that cannot be one, without the value: it may hold a password."""
    logger.warning(
        "HTTP_PROXY or HTTPS_PROXY: the value is not an address like http://proxy.example.com:3128;"
        " Sentry is reached without it"
    )


class Probe:
    """Asks now and then whether Sentry's host answers at all. It sends no event.

    Args:
        dsn: Its host is asked.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, dsn: str, clock: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(dsn)
        self._url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        self._transport = open_transport(self._url, 1)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._asked: float | None = None
        self._answered = False

    async def is_reachable(self) -> bool:
        """Say whether the host answered, with whatever status, when it was last asked."""
        async with self._lock:
            if self._asked is None or self._clock() - self._asked >= PROBE_LIFETIME_SECONDS:
                self._answered = await self._ask()
                self._asked = self._clock()
            return self._answered

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                response = await self._transport.handle_async_request(httpx2.Request("HEAD", self._url))
                await response.aclose()
        except (TimeoutError, httpx2.TransportError, httpx2.InvalidURL):
            return False
        return True
