"""The scrubber redacts: it returns a copy of any JSON in which nothing secret is left.

It knows neither the SDK nor the shape of events: every key and every text goes through the same rules, which
``contracts/scrubber.json`` holds for both sides of the application and explains. It never changes what it is
given, it accepts anything, and its work is bounded by the limits of the rules.
"""

import json
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from app.core.sentry.rules import FLAGS, KeyMatcher, Rules, TextPattern, contains_any, marker, words_of

_MASKED = re.compile(r"(?:\[Filtered(?::[a-z_]+)?\])?")
_ATTRIBUTE_KEYS = frozenset({"value", "type", "unit"})
_PAIR = 2
_SMALLEST_SCRUBBED_NUMBER = 10**11
_LARGEST_NUMBER = 10**1000
_KEY_CACHE_SIZE = 4096
_LONGEST_CACHED_KEY = 100


class _Key(NamedTuple):
    text: str
    words: str
    sensitive: bool


class Scrubber:
    """Applies the rules.

    Args:
        rules: What is secret.
        personal_data: Whether e-mail addresses and the like may leave. Secrets never may.
    """

    def __init__(self, rules: Rules, *, personal_data: bool = False) -> None:
        self._rules = rules
        self._keys = KeyMatcher(rules, personal_data=personal_data)
        self._patterns = [TextPattern(rule) for rule in rules.patterns if not (personal_data and rule.personal)]
        self._code_patterns = [pattern for pattern in self._patterns if pattern.code]
        self._identifier = re.compile(rules.identifier_value)
        self._start = re.compile(rules.assignment.start, FLAGS["i"])
        self._value = re.compile(rules.assignment.value, FLAGS["i"])
        self._literal = re.compile(rules.assignment.literal, FLAGS["i"])
        self._read_short_key = lru_cache(_KEY_CACHE_SIZE)(self._read_new_key)

    def scrub(self, value: Any) -> Any:
        """Return a copy without secrets."""
        return self._scrub(value, "", 0)

    def scrub_text(self, text: str) -> str:
        """Return the text without secrets."""
        return self._scrub_text(text, 0)

    def _scrub(self, value: Any, words: str, depth: int) -> Any:  # noqa: PLR0911 one return per kind of value
        """Scrub what stands at ``depth`` under a key of these ``words``."""
        match value:
            case None | bool():
                return value
            case str():
                return self._scrub_string(value, words, depth)
            case int():
                return self._scrub_number(value)
            case float():
                return value if math.isfinite(value) else str(value)
            case dict() | list() | tuple() if depth >= self._rules.max_depth:
                return marker("depth")
            case dict():
                return self._scrub_object(value, depth)
            case list() | tuple():
                return self._scrub_array(value, words, depth)
            case _:
                return marker("type")

    def _scrub_object(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        result = {}
        for name, item in islice(value.items(), self._rules.max_width):
            key = self._read_key(name if isinstance(name, str) else json.dumps(self._scrub(name, "", depth + 1)))
            result[key.text] = self._mask(item) if key.sensitive else self._scrub(item, key.words, depth + 1)
        return result

    def _scrub_array(self, value: Sequence[Any], words: str, depth: int) -> list[Any]:
        result = []
        follows_option = False
        for item in islice(value, self._rules.max_width):
            is_option = isinstance(item, str) and item.startswith("-")
            if follows_option and isinstance(item, str) and not is_option:
                result.append(self._mask(item))
            elif depth + 1 < self._rules.max_depth and self._is_sensitive_pair(item):
                result.append([self._read_key(item[0]).text, self._mask(item[1])])
            else:
                result.append(self._scrub(item, words, depth + 1))
            follows_option = is_option and self._read_key(item).sensitive
        return result

    def _is_sensitive_pair(self, item: Any) -> bool:
        is_pair = isinstance(item, list | tuple) and len(item) == _PAIR and isinstance(item[0], str)
        return is_pair and self._read_key(item[0]).sensitive

    def _mask(self, value: Any) -> Any:
        if value is None or isinstance(value, bool) or value == "":
            return value
        if isinstance(value, dict) and "value" in value and value.keys() <= _ATTRIBUTE_KEYS:
            return {"value": self._mask(value["value"]), "type": "string"}
        return self._rules.mask

    def _scrub_number(self, value: int) -> int | str:
        if abs(value) < _SMALLEST_SCRUBBED_NUMBER:
            return value
        if abs(value) > _LARGEST_NUMBER:
            return marker("length")
        text = self._scrub_text(str(value), 0)
        return value if text == str(value) else text

    def _scrub_string(self, text: str, words: str, depth: int) -> str:
        if words in self._rules.identifier_keys and self._identifier.fullmatch(text):
            return text
        return self._scrub_text(text, depth, code=words in self._rules.source_keys)

    def _scrub_text(self, text: str, depth: int, *, code: bool = False) -> str:
        text = self._cut(text)
        if not code and text.startswith(("{", "[")):
            rewritten = self._scrub_json(text, depth)
            if rewritten is not None:
                return self._cut(rewritten)
        for pattern in self._code_patterns if code else self._patterns:
            text = pattern.replace(text)
        return self._cut(self._scrub_assignments(text, self._literal if code else self._value))

    def _scrub_json(self, text: str, depth: int) -> str | None:
        """Return JSON text without secrets, or ``None`` when it is no JSON or has none."""
        try:
            value = json.loads(text)
            scrubbed = self._scrub(value, "", depth + 1)
            return None if scrubbed == value else json.dumps(scrubbed, separators=(",", ":"), ensure_ascii=False)
        except (ValueError, RecursionError):
            return None

    def _scrub_assignments(self, text: str, value: re.Pattern[str]) -> str:
        if not contains_any(text, self._rules.assignment.needs):
            return text
        pieces = []
        position = 0
        for start in self._start.finditer(text):
            if start.end() < position or not self._keys.is_sensitive(words_of(start[1])):
                continue
            found = value.match(text, start.end())
            if found and not _MASKED.fullmatch(found[0].strip("\\\"'")):
                pieces += [text[position : start.end()], self._rules.mask]
                position = found.end()
        return "".join([*pieces, text[position:]])

    def _cut(self, text: str) -> str:
        limit = self._rules.max_string_length
        if len(text) <= limit:
            return text
        end = marker("length")
        kept = text[: limit - len(end)]
        # The last word may be half a secret, which no pattern would recognise.
        return kept[: max(kept.rfind(space) for space in " \t\r\n") + 1] + end

    def _read_key(self, key: str) -> _Key:
        return self._read_short_key(key) if len(key) <= _LONGEST_CACHED_KEY else self._read_new_key(key)

    def _read_new_key(self, key: str) -> _Key:
        words = words_of(key)
        return _Key(self._scrub_text(key, 0), words, self._keys.is_sensitive(words))
