"""The scrubber's rules: ``contracts/scrubber.json``, checked and compiled. The file itself explains each field."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.core.contracts import CONTRACTS

FLAGS = {"": re.ASCII, "i": re.ASCII | re.IGNORECASE}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_MARKER = re.compile(r"\[Filtered(?::[a-z_]+)?\]")


class Pattern(BaseModel):
    """A secret that is recognised by its look."""

    model_config = ConfigDict(frozen=True)

    name: str
    pattern: str
    needs: tuple[str, ...] = ("",)
    flags: Literal["", "i"] = ""
    check: Literal["luhn"] | None = None
    personal: bool = False
    code: bool = True


class Assignment(BaseModel):
    """How ``name=value`` looks in text."""

    model_config = ConfigDict(frozen=True)

    needs: tuple[str, ...]
    start: str
    value: str
    literal: str


class Rules(BaseModel):
    """All rules."""

    model_config = ConfigDict(frozen=True)

    mask: str
    max_depth: int
    max_width: int
    max_string_length: int
    sensitive_parts: tuple[str, ...]
    sensitive_keys: tuple[str, ...]
    personal_keys: tuple[str, ...]
    harmless_keys: frozenset[str]
    identifier_keys: frozenset[str]
    identifier_value: str
    source_keys: frozenset[str]
    assignment: Assignment
    patterns: tuple[Pattern, ...]


@cache
def load_rules() -> Rules:
    """Return the rules of this project."""
    return Rules.model_validate_json((CONTRACTS / "scrubber.json").read_bytes())


def marker(rule: str) -> str:
    """Return what stands where the rule of this name found something."""
    return f"[Filtered:{rule}]"


class KeyMatcher:
    """Tells which keys are sensitive."""

    def __init__(self, rules: Rules, *, personal_data: bool) -> None:
        keys = rules.sensitive_keys if personal_data else rules.sensitive_keys + rules.personal_keys
        self._words = re.compile(f"(?:^| )(?:{_alternatives(keys)})(?: |$)")
        self._parts = re.compile(_alternatives(rules.sensitive_parts))
        self._harmless = rules.harmless_keys

    def is_sensitive(self, words: str) -> bool:
        """Say whether a key of these words holds a secret."""
        found = self._words.search(words) or self._parts.search(words.replace(" ", ""))
        return found is not None and words not in self._harmless


class TextPattern:
    """Replaces what one pattern finds."""

    def __init__(self, rule: Pattern) -> None:
        self.code = rule.code
        self._needs = rule.needs
        self._regex = re.compile(rule.pattern, FLAGS[rule.flags])
        self._checked = rule.check == "luhn"
        self._marker = marker(rule.name)

    def replace(self, text: str) -> str:
        """Return the text with markers."""
        if not contains_any(text, self._needs):
            return text
        return self._regex.sub(self._replacement, text)

    def _replacement(self, match: re.Match[str]) -> str:
        if self._checked and not passes_luhn(match[0]):
            return match[0]
        return (match[1] if self._regex.groups else "") + self._marker


def words_of(key: str) -> str:
    """Return the words of a key, in lower case and separated by spaces: ``x api key`` for ``X-ApiKey``."""
    return " ".join(_WORD.findall(_MARKER.sub("", key))).lower()


def contains_any(text: str, parts: Sequence[str]) -> bool:
    """Say whether a part occurs in the text: much cheaper than to search for an expression."""
    return any(part in text for part in parts)


def passes_luhn(text: str) -> bool:
    """Say whether the digits of a text end in the check digit that card numbers have (ISO/IEC 7812-1)."""
    digits = [int(character) for character in reversed(text) if character.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _alternatives(texts: Sequence[str]) -> str:
    return "|".join(map(re.escape, texts))
