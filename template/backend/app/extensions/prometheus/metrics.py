"""What is measured. Labels come from code only: templates of routes, names of classes, fixed words.

Names follow https://prometheus.io/docs/practices/naming/
"""

import os
import threading
from typing import Any

import prometheus_client.values
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from app.core.sentry.delivery import delivery
from app.core.sentry.errors import errors
from app.extensions.prometheus.workers import Workers

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)
"""Upper bounds of the classes of durations, in seconds; the budgets of the alert rules, 0.5 and 2, among them."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
STATUSES = range(100, 600)
UNMATCHED = "unmatched"
"""The route of all paths that no route knows."""

OTHER = "other"


class Metrics:
    """The metrics of this process, or of all processes of its server.

    Args:
        release: Which build this is.
        environment: Where it runs.
        workers: The processes of this server, where there are several.
    """

    def __init__(self, release: str, environment: str, workers: Workers | None) -> None:
        self._workers = workers
        if workers:
            # The library asks both on making a metric; a number instead of the process id lets the successor of a
            # process that died go on with its counts.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(workers.folder)
            kind = prometheus_client.values.MultiProcessValue(workers.number)  # type: ignore[no-untyped-call]
            prometheus_client.values.ValueClass = kind
        own = CollectorRegistry()
        self.requests_in_flight = Gauge(
            "http_requests_in_flight", "Requests being answered.", registry=own, multiprocess_mode="livesum"
        )
        self.connections_open = Gauge(
            "websocket_connections_open", "WebSocket connections.", registry=own, multiprocess_mode="livesum"
        )
        self._requests = Counter(
            "http_requests", "Requests that were answered.", ["method", "route", "status"], registry=own
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "Time until an answer was complete; until it began for event streams.",
            ["method", "route"],
            registry=own,
            buckets=BUCKETS,
        )
        self._connections = Counter(
            "websocket_connections", "WebSocket connections that ended.", ["route"], registry=own
        )
        self._errors = Counter(
            "app_errors", "Errors, by class and by whether something handled them.", ["type", "handled"], registry=own
        )
        self._sent = Counter("sentry_sent", "Envelope items that Sentry took.", registry=own)
        self._dropped = Counter(
            "sentry_dropped", "What was not sent to Sentry, by who dropped it and why.", ["by", "reason"], registry=own
        )
        self._last_delivery = Gauge(
            "sentry_last_delivery_timestamp_seconds",
            "When Sentry last took something; 0 means never.",
            registry=own,
            multiprocess_mode="max",
        )
        info = Gauge(
            "app_info",
            "Which build runs here; the value is 1.",
            ["release", "environment"],
            registry=own,
            multiprocess_mode="livemax",
        )
        info.labels(release, environment).set(1)
        self._registry = own
        if workers:
            self._registry = CollectorRegistry()
            MultiProcessCollector(self._registry, str(workers.folder))  # type: ignore[no-untyped-call]
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        self._synced: dict[Any, int] = {}
        self._syncing = threading.Lock()

    def count_request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request that is over.

        Args:
            method: As the caller sent it; anything may be.
            route: The template of its path, or nothing when no route knows it.
            status: Of the answer.
            seconds: How long the answer took.
        """
        key = (method if method in METHODS else OTHER, route or UNMATCHED, status if status in STATUSES else 0)
        found = self._children.get(key)
        if found is None:
            name, path, number = key
            found = (self._requests.labels(name, path, number or OTHER), self._durations.labels(name, path))
            self._children[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def count_connection(self, route: str | None) -> None:
        """Count a WebSocket connection that is over."""
        self._connections.labels(route or UNMATCHED).inc()

    def sync(self) -> None:
        """Take over what this process has counted elsewhere since the last time: errors and deliveries."""
        with self._syncing:
            for (name, handled), count in errors.report().items():
                label = name if name.isascii() and name.isidentifier() else OTHER
                self._errors.labels(label, str(handled).lower()).inc(self._news(("error", name, handled), count))
            report = delivery.report()
            self._sent.inc(self._news("sent", report.sent))
            for cause, count in report.dropped.items():
                by, _, reason = cause.partition(": ")
                self._dropped.labels(by, reason or OTHER).inc(self._news(("dropped", cause), count))
            if report.last_delivery:
                self._last_delivery.set(report.last_delivery.timestamp())

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        self.sync()
        if self._workers:
            self._workers.forget_dead()
        return generate_latest(self._registry)

    def close(self) -> None:
        """Count for the last time, and leave the other processes."""
        try:
            self.sync()
        finally:
            if self._workers:
                self._workers.leave()

    def _news(self, key: object, count: int) -> int:
        # Counts that begin again, as in a forked process, are all news.
        before = self._synced.get(key, 0)
        self._synced[key] = count
        return count - before if count >= before else count
