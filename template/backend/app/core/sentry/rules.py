"""The scrubber's rules: ``contracts/scrubber.json``, checked and compiled. The file itself explains each field."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.core.contracts import CONTRACTS

FLAGS = {"": re.ASCII, "i": re.ASCII | re.IGNORECASE}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[\u0080-\uffff]+")
_BREAK = re.compile(r"\[Filtered(?::[a-z_]+)?\]?|%[0-9A-Fa-f]{2}|\\(?:u[0-9A-Fa-f]{4}|[bfnrt])")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pattern(_Frozen):
    """A secret that is recognised by its look."""

    name: str
    pattern: str
    needs: tuple[str, ...] = ("",)
    flags: Literal["", "i"] = ""
    before: str | None = None
    check: Literal["luhn", "iban"] | None = None
    keyed: bool = False
    personal: bool = False
    code: bool = True
    text: bool = True


class Assignment(_Frozen):
    """How ``name=value`` looks in text."""

    signs: tuple[str, ...]
    sign: str
    value: str
    literal: str


class NamedValues(_Frozen):
    """The members of an object that gives a value its name in another member."""

    names: tuple[str, ...]
    values: tuple[str, ...]


class Rules(BaseModel):
    """All rules."""

    model_config = ConfigDict(frozen=True)

    mask: str
    max_depth: int
    max_width: int
    max_string_length: int
    max_size: int
    value_size: int
    sensitive_parts: tuple[str, ...]
    harmless_parts: tuple[str, ...]
    sensitive_keys: tuple[str, ...]
    personal_keys: tuple[str, ...]
    harmless_keys: frozenset[str]
    protocol_keys: frozenset[str]
    identifier_keys: frozenset[str]
    identifier_value: str
    address_keys: frozenset[str]
    address_value: str
    personal_objects: dict[str, frozenset[str]]
    named_values: NamedValues
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
    """Tells which keys are sensitive. The project's ``extra_keys`` outrank the harmless keys, not the protocol's."""

    def __init__(self, rules: Rules, extra_keys: Sequence[str] = (), *, personal_data: bool) -> None:
        own = [words for key in extra_keys if (words := words_of(key))]
        keys = [*rules.sensitive_keys, *own, *(words.replace(" ", "") for words in own)]
        if not personal_data:
            keys += rules.personal_keys
        self._words = re.compile(f"(?:^| )(?:{_alternatives(keys)})(?: |$)")
        self._parts = re.compile(_alternatives(rules.sensitive_parts))
        self._harmless_parts = re.compile(_alternatives(rules.harmless_parts))
        self._harmless = rules.harmless_keys.difference(own) | rules.protocol_keys

    def is_sensitive(self, words: str) -> bool:
        """Say whether a key of these words holds a secret."""
        found = self._words.search(words) or self._parts.search(self._harmless_parts.sub("", words.replace(" ", "")))
        return found is not None and words not in self._harmless


def words_of(key: str) -> str:
    """Return the words of a key, in lower case and separated by spaces: ``x api key`` for ``X-ApiKey``."""
    return " ".join(_WORD.findall(_BREAK.sub(" ", key))).lower()


def _alternatives(texts: Sequence[str]) -> str:
    return "|".join(map(re.escape, texts))
