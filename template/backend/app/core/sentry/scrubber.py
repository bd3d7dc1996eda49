"""The scrubber redacts: it returns a copy of any JSON in which nothing secret is left.

It knows neither the SDK nor the shape of events: every key and every text goes through the same rules, which
``contracts/scrubber.json`` holds for both sides of the application and explains. It never changes what it is
given, it accepts anything, and its work is bounded by the limits of the rules.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from app.core.sentry.rules import KeyMatcher, Rules, marker, words_of
from app.core.sentry.text import Budget, TextScrubber

_ATTRIBUTE_KEYS = frozenset({"value", "type", "unit"})
_PAIR = 2
_SMALLEST_SCRUBBED_NUMBER = 10**11
_LARGEST_NUMBER = 10**1000
_LONGEST_ADDRESS = 64
_LONGEST_NAME = 64
_LONGEST_PATH = 20
_MOST_KNOWN_KEYS = 4096
# Frame variables hold the repr of each element.
_OPTION = re.compile("b?['\"]{0,3}-")
_COPIES: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    bytes: lambda value: bytes.decode(value, "utf-8", "replace"),
    bytearray: lambda value: bytearray.decode(value, "utf-8", "replace"),
    int: int.__index__,
    float: float.__float__,
    dict: lambda value: dict(dict.items(value)),
    list: lambda value: list(list.__iter__(value)),
    tuple: lambda value: tuple(tuple.__iter__(value)),
}


class _Key(NamedTuple):
    text: str
    sensitive: bool = False
    kind: str = ""
    members: frozenset[str] | None = None


_NO_KEY = _Key("")
_STRANGE_KEY = _Key(marker("type"), sensitive=True)


class Scrubber:
    """Applies the rules.

    Args:
        rules: What is secret.
        personal_data: Whether e-mail addresses and the like may leave. Secrets never may.
        extra_keys: Further sensitive keys, in any spelling: the project's own list.
    """

    def __init__(self, rules: Rules, *, personal_data: bool = False, extra_keys: Sequence[str] = ()) -> None:
        self._rules = rules
        self._personal_data = personal_data
        self._keys = KeyMatcher(rules, extra_keys, personal_data=personal_data)
        self._identifier = re.compile(rules.identifier_value)
        self._address = re.compile(rules.address_value)
        self._known_keys: dict[str, _Key] = {}
        self._text = TextScrubber(rules, self._keys, self._scrub_data, personal_data=personal_data, code=False)
        self._code = TextScrubber(rules, self._keys, self._scrub_data, personal_data=personal_data, code=True)

    def scrub(self, value: Any) -> Any:
        """Return a copy without secrets."""
        return self._scrub(value, _NO_KEY, 0, Budget(self._rules.max_size))

    def scrub_text(self, text: str) -> str:
        """Return the text without secrets."""
        return self._scrub_string(text, _NO_KEY, 0, Budget(self._rules.max_size))

    def _scrub_data(self, value: Any, depth: int, budget: Budget) -> Any:
        return self._scrub(value, _NO_KEY, depth, budget)

    def _scrub(self, value: Any, key: _Key, depth: int, budget: Budget) -> Any:  # noqa: PLR0911 one per kind of value
        """Scrub what stands at ``depth`` under a key."""
        kind = type(value)
        if kind is str:
            return self._scrub_string(value, key, depth, budget)
        if value is None or kind is bool:
            return value
        if kind is int or kind is float:
            return self._scrub_number(value)
        if kind is dict or kind is list or kind is tuple:
            if depth >= self._rules.max_depth:
                return marker("depth")
            if budget.left <= 0:
                return marker("size")
            budget.left -= self._rules.value_size * min(len(value), self._rules.max_width)
            return (self._scrub_object if kind is dict else self._scrub_array)(value, key, depth, budget)
        plain = _plain(value)
        return marker("type") if plain is None else self._scrub(plain, key, depth, budget)

    def _scrub_object(self, value: dict[Any, Any], key: _Key, depth: int, budget: Budget) -> dict[str, Any]:
        known, clean, members = self._known_keys, self._text.clean, key.members
        result: dict[str, Any] = {}
        for name, item in self._first(value.items(), len(value)):
            key = (known.get(name) if type(name) is str else None) or self._read_key(name)
            if key.sensitive:
                result[key.text] = self._mask(item, self._rules.mask)
            elif members is not None and name not in members:
                result[key.text] = self._mask(item, marker("user"))
            elif type(item) is str and not key.kind and item in clean:
                result[key.text] = item
            else:
                result[key.text] = self._scrub(item, key, depth + 1, budget)
        if len(value) > self._rules.max_width:
            result[marker("width")] = marker("width")
        for name in self._rules.named_values.values:
            if name in value and self._names_a_secret(value):
                result[name] = self._mask(value[name], self._rules.mask)
        return result

    def _scrub_array(self, value: Sequence[Any], key: _Key, depth: int, budget: Budget) -> list[Any]:
        pair = self._sensitive_pair(value, key)
        if pair:
            return [pair.text, self._mask(value[1], self._rules.mask)]
        result = []
        follows_option = False
        for item in self._first(value, len(value)):
            is_text = type(item) is str
            is_option = is_text and _OPTION.match(item) is not None
            if follows_option and is_text and not is_option:
                result.append(self._mask(item, self._rules.mask))
            else:
                result.append(self._scrub(item, key, depth + 1, budget))
            follows_option = is_option and self._read_key(item).sensitive
        if len(value) > self._rules.max_width:
            result.append(marker("width"))
        return result

    def _first(self, items: Iterable[Any], count: int) -> Iterable[Any]:
        """Return the items, or as many of them as leave room for a marker."""
        limit = self._rules.max_width
        return items if count <= limit else islice(items, limit - 1)

    def _sensitive_pair(self, value: Sequence[Any], key: _Key) -> _Key | None:
        if len(value) != _PAIR or key.kind == "source":
            return None
        name = value[0].decode("utf-8", "replace") if type(value[0]) is bytes else value[0]
        if type(name) is not str or " " in name or _OPTION.match(name):
            return None
        first = self._read_key(name)
        return first if first.sensitive else None

    def _names_a_secret(self, value: dict[Any, Any]) -> bool:
        """Say whether a member of an object gives a sensitive name to another one."""
        for member in self._rules.named_values.names:
            given = value.get(member)
            names = given if type(given) is list or type(given) is tuple else (given,)
            if any(type(name) is str and self._read_key(name).sensitive for name in islice(names, _LONGEST_PATH)):
                return True
        return False

    def _mask(self, value: Any, mask: str) -> Any:
        kind = type(value)
        if value is None or kind is bool or (kind is str and not value):
            return value
        if kind is dict and "value" in value and value.keys() <= _ATTRIBUTE_KEYS:
            inner = value["value"]
            return {"value": mask if type(inner) is dict else self._mask(inner, mask), "type": "string"}
        return mask

    def _scrub_number(self, value: float) -> float | str:
        if -_SMALLEST_SCRUBBED_NUMBER < value < _SMALLEST_SCRUBBED_NUMBER:
            return value
        if type(value) is float and not (math.isfinite(value) and value.is_integer()):
            return value if math.isfinite(value) else str(value)
        if abs(value) > _LARGEST_NUMBER:
            return value if type(value) is float else marker("length")
        text = str(int(value))
        scrubbed = self._code.scrub(text, 0, Budget(len(text)))
        return value if scrubbed == text else scrubbed

    def _scrub_string(self, text: str, key: _Key, depth: int, budget: Budget) -> str:
        if key.kind == "source":
            return self._code.scrub(text, depth, budget)
        if key.kind == "identifier" and self._identifier.fullmatch(text):
            return text
        if key.kind == "address" and len(text) < _LONGEST_ADDRESS and self._address.fullmatch(text):
            return marker("client_address")
        return self._text.scrub(text, depth, budget)

    def _read_key(self, name: Any) -> _Key:
        """Return what the rules say about a key. Those that are no text become text, as in JSON."""
        known = self._known_keys.get(name) if type(name) is str else None
        if known:
            return known
        plain = _plain(name) if type(name) is not str else name
        if type(plain) is not str:
            is_json = name is None or type(name) in (bool, int, float)
            return _Key(json.dumps(self._scrub_data(name, 0, Budget(0)))) if is_json else _STRANGE_KEY
        words = words_of(plain)
        text = self._text.scrub(plain, 0, Budget(len(plain)))
        rules = self._rules
        members = None if self._personal_data else rules.personal_objects.get(words)
        key = _Key(text, self._keys.is_sensitive(words), self._kind_of(words), members)
        if plain == text and len(plain) <= _LONGEST_NAME and len(self._known_keys) < _MOST_KNOWN_KEYS:
            self._known_keys[plain] = key
        return key

    def _kind_of(self, words: str) -> str:
        if words in self._rules.identifier_keys:
            return "identifier"
        if words in self._rules.source_keys:
            return "source"
        return "address" if words in self._rules.address_keys and not self._personal_data else ""


def _plain(value: Any) -> Any:
    """Return bytes as text and a value of a subclass as the class that JSON knows; ``None`` for anything else."""
    for base, copied in _COPIES.items():
        if issubclass(type(value), base):
            return copied(value)
    return None
