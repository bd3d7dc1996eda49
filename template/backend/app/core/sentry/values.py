"""How live values are written where the SDK writes all of them: local variables and extra data.

What is done here only the value itself can tell; once it is text, its names and its kind are gone.
"""

from collections.abc import ItemsView, Mapping, MappingView, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any
from urllib.parse import ParseResult, SplitResult

from starlette.datastructures import URL, Address, Headers, QueryParams
from starlette.requests import HTTPConnection

from app.core.sentry.requests import current_request
from app.core.sentry.rules import marker

_REQUEST_PARTS = (HTTPConnection, Headers, QueryParams, URL, Address)
# A collection with one of these names in it holds headers, whatever class it is of.
_HEADER_NAMES = frozenset({"accept-encoding", "cookie", "referer", "user-agent", "x-forwarded-for"})
_COLLECTIONS = (Mapping, MappingView, AbstractSet, list, tuple)
_PAIR = 2
_MOST_NAMES = 200
# Shorter values of cookies, such as "dark" and "1", are values of other variables too.
_SHORTEST_SECRET = 7


def hide_request(value: object) -> str | None:
    """Return what takes the place of a request, or of a part of it, in local variables and extra data.

    It holds the caller's address, every header and the query, and the SDK would write out all of it. What an
    event may say about its request is collected elsewhere.
    """
    if isinstance(value, str | bytes):
        request = current_request()
        is_secret = request is not None and len(value) >= _SHORTEST_SECRET and _text(value) in request.secrets
        return marker("request") if is_secret else None
    is_scope = isinstance(value, Mapping) and "type" in value and "headers" in value
    if isinstance(value, _REQUEST_PARTS) or is_scope or not _HEADER_NAMES.isdisjoint(_names_in(value)):
        return marker("request")
    return None


def name_parts(value: object) -> str | None:
    """Return the text of a tuple with named parts. The SDK would leave the names out, which tell what is secret."""
    if isinstance(value, SplitResult | ParseResult):
        return value.geturl()
    return repr(value) if isinstance(value, tuple) and hasattr(value, "_fields") else None


def hide_depths(value: object) -> str | None:
    """Return what takes the place of a collection that the SDK does not look into: its text would show all of it."""
    return marker("depth") if isinstance(value, _COLLECTIONS) else hide_request(value)


def _names_in(value: object) -> list[str]:
    """Return the names in a mapping or in a list of pairs, in lower case."""
    if isinstance(value, Mapping):
        names = list(islice(value, _MOST_NAMES))
    elif isinstance(value, list | tuple | ItemsView):
        pairs = islice(value, _MOST_NAMES)
        names = [item[0] for item in pairs if isinstance(item, tuple | list) and len(item) == _PAIR]
    else:
        names = []
    return [_text(name).lower() for name in names if isinstance(name, str | bytes)]


def _text(name: str | bytes) -> str:
    return name.decode("latin-1") if isinstance(name, bytes) else name


def mask_known(value: Any, known: Sequence[str]) -> Any:
    """Return a copy of JSON in which no text contains one of the known values."""
    if isinstance(value, str):
        for secret in known:
            value = value.replace(secret, marker("request"))
        return value
    if isinstance(value, dict):
        return {mask_known(name, known): mask_known(item, known) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_known(item, known) for item in value]
    return value
