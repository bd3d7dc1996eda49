"""The request that an event belongs to: what its tags say, and what was reported about it already."""

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property, lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.types import Scope

from app.core.sentry.rules import KeyMatcher, load_rules, words_of

MAX_BODY_BYTES = 10_000
"""The longest body that an error carries."""

# The first token that occurs, in lower case, names the family: most browsers also claim to be older ones.
_FAMILIES = {
    "bot": "bot",
    "crawler": "bot",
    "spider": "bot",
    "edg": "Edge",
    "opr/": "Opera",
    "firefox/": "Firefox",
    "fxios/": "Firefox",
    "samsungbrowser/": "Samsung Internet",
    "chrome/": "Chrome",
    "crios/": "Chrome",
    "safari/": "Safari",
    "curl/": "curl",
    "python": "Python",
    "okhttp": "okhttp",
    "node": "Node",
    "go-http-client": "Go",
}
_BODY_READERS: Mapping[str, Callable[[str], Any]] = {
    "application/json": json.loads,
    "application/x-www-form-urlencoded": parse_qs,
}
_REPORT = "__sentry_report__"
_SAME_ERROR_SECONDS = 5.0

_KNOWN_NAMES = 512
_LONG_SECRET = 20
_MIXED_SECRET = 8

_numbers = itertools.count(1)
_current: ContextVar["CurrentRequest | None"] = ContextVar("current_request", default=None)
_work: ContextVar["_Work | None"] = ContextVar("work", default=None)


class CurrentRequest:
    """A request or WebSocket connection while it is served.

    Attributes:
        scope: The ASGI scope; routing adds to it.
        number: Of this process's requests.
        reported: Whether something was captured about it, also when a filter or the limiter dropped that.
        private: Whether its body and its local variables stay here.
        refused: Whether a WebSocket got an answer in place of a handshake.
    """

    __slots__ = ("_body", "_secrets", "number", "private", "refused", "reported", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.reported = False
        self.private = False
        self.refused = False
        self.number = next(_numbers)
        self._secrets: frozenset[str] | None = None
        self._body = bytearray()

    def note_body(self, chunk: bytes) -> None:
        """Keep a part of the body that the application reads; one byte more than may be sent tells that it is long."""
        self._body += chunk[: MAX_BODY_BYTES + 1 - len(self._body)]

    @property
    def body(self) -> Any:
        """What the application has read of the body, if it is JSON or a form and not long; otherwise nothing."""
        if self.private or not 0 < len(self._body) <= MAX_BODY_BYTES:
            return None
        read = _BODY_READERS.get(self._header(b"content-type").partition(";")[0].strip().lower())
        try:
            return read(self._body.decode()) if read else None
        except (ValueError, RecursionError):
            return None

    @property
    def tags(self) -> dict[str, str]:
        """Tags for events: method, route, endpoint and user agent family, with nothing personal in them."""
        tags = {
            "http.method": self.scope.get("method"),
            "http.route": self.route,
            "endpoint": getattr(self.scope.get("endpoint"), "__qualname__", None),
            "user_agent.family": self._family(),
        }
        return {name: value for name, value in tags.items() if value}

    @property
    def route(self) -> str | None:
        """The template of the path, or nothing while no route is known."""
        return route_of(self.scope)

    @property
    def secrets(self) -> frozenset[str]:
        """Values that nobody recognises without their names: of sensitive headers, of cookies, and the address."""
        if self._secrets is None:
            self._secrets = frozenset({self._address, *_secrets_in(self.scope["headers"])})
        return self._secrets

    def known_values(self, *, personal_data: bool) -> tuple[str, ...]:
        """Return those of ``secrets`` that are so particular that they are masked wherever they occur.

        Args:
            personal_data: Whether the address may leave.
        """
        values = {value for value in self.secrets if _is_particular(value)}
        if personal_data:
            values.discard(self._address)
        return tuple(values | {quote(value, safe="") for value in values})

    @property
    def _address(self) -> str:
        return str((self.scope.get("client") or ("",))[0])

    def _family(self) -> str | None:
        agent = self._header(b"user-agent").lower()
        if not agent:
            return None
        return next((family for token, family in _FAMILIES.items() if token in agent), "other")

    def _header(self, wanted: bytes) -> str:
        return next((value for name, value in self.scope["headers"] if name == wanted), b"").decode("latin-1")


class SecretNames:
    """Tells whether a header holds a secret, by the rules and by the project's own list."""

    def __init__(self) -> None:
        self._extra_keys: tuple[str, ...] = ()

    def extend(self, extra_keys: Sequence[str]) -> None:
        """Take the project's own list."""
        self._extra_keys = tuple(extra_keys)
        self.__dict__.pop("includes", None)

    @cached_property
    def includes(self) -> Callable[[bytes], bool]:
        """A function that says so about a name. Made when it is needed: without Sentry nobody asks."""
        keys = KeyMatcher(load_rules(), self._extra_keys, personal_data=False)
        return lru_cache(_KNOWN_NAMES)(lambda name: keys.is_sensitive(words_of(name.decode("latin-1"))))


secret_names = SecretNames()
"""The process's own."""


def _secrets_in(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    for name, value in headers:
        text = value.decode("latin-1")
        if secret_names.includes(name):
            # As a whole, without the scheme of an authorization, and cookies one by one.
            yield from (text, text.rpartition(" ")[2])
            yield from (pair.partition("=")[2].strip(' "') for pair in text.split(";"))


def _is_particular(value: str) -> bool:
    """Say whether a value occurs nowhere by chance: an address of another machine, or what nobody would type."""
    try:
        return not ip_address(value).is_loopback
    except ValueError:
        pass
    has_both = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return len(value) >= _LONG_SECRET or (len(value) >= _MIXED_SECRET and has_both)


def path_of(scope: Mapping[str, Any]) -> str:
    """Return the path of a request as the routes know it: without the prefix that a proxy put in front."""
    path, prefix = str(scope.get("path", "")), str(scope.get("root_path", ""))
    return path[len(prefix) :] if path.startswith(f"{prefix}/") else path


def route_of(scope: Mapping[str, Any]) -> str | None:
    """Return the template of the path of a request, such as ``/orders/{id}``, or nothing while no route is known."""
    # Since FastAPI 0.137 the route holds the path without the prefixes of its routers, and this the whole.
    context = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(context, "path", None) or getattr(scope.get("route"), "path", None)


def current_request() -> CurrentRequest | None:
    """Return the request that is being served, also in threads and tasks that it started."""
    return _current.get()


def begin_request(scope: Scope) -> CurrentRequest:
    """Make this the current request of the present task and of what it starts."""
    request = CurrentRequest(scope)
    # Never reset: servers log what escaped from a request, which then is known as reported.
    _current.set(request)
    return request


class _Work:
    """A piece of work that is no request. All tasks and threads in it hold the same object.

    Attributes:
        private: Whether its local variables stay here.
    """

    __slots__ = ("private",)

    def __init__(self, *, private: bool) -> None:
        self.private = private


@contextmanager
def separate_work() -> Iterator[None]:
    """Make the block a piece of work of its own; within a private one it is private too."""
    around = _work.get()
    token = _work.set(_Work(private=around is not None and around.private))
    try:
        yield
    finally:
        _work.reset(token)


def hide_content() -> None:
    """Keep the body of this request, and the local variables of all code, out of what is reported from now on.

    For work with what must leave in no form, such as what somebody writes to a machine or what it answers. Where there
    is no request, it holds for the job, and where there is none, for the present task and for what it starts.
    """
    work = current_request() or _work.get()
    if work:
        work.private = True
    else:
        _work.set(_Work(private=True))


def is_private() -> bool:
    """Say whether ``hide_content`` was called."""
    work = current_request() or _work.get()
    return work is not None and work.private


def remember_report(error: BaseException, event_id: str | None) -> None:
    """Note on an exception that it was reported, so that it is not reported again from another thread.

    Args:
        error: The exception.
        event_id: The event about it; none when the limiter refused it.
    """
    request = current_request()
    # Into the dictionary, because an exception class may refuse attributes.
    error.__dict__[_REPORT] = (event_id, request.number if request else None, time.monotonic())


def was_reported(error: BaseException) -> bool:
    """Say whether this exception was reported: in this request, or a moment ago where there is none.

    An exception object that is kept and raised again is news each time.
    """
    if _REPORT not in error.__dict__:
        return False
    report: tuple[str | None, int | None, float] = error.__dict__[_REPORT]
    request = current_request()
    return report[1] == request.number if request else time.monotonic() - report[2] < _SAME_ERROR_SECONDS


def event_id_of(error: BaseException) -> str | None:
    """Return the id of the event about this exception; none also when it was refused."""
    event_id: str | None = error.__dict__[_REPORT][0] if was_reported(error) else None
    return event_id
