"""Text: what the scrubber's patterns find in it, values behind names, and JSON."""

import json
import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

from app.core.sentry.rules import FLAGS, KeyMatcher, Pattern, Rules, marker, words_of

_MASKED = re.compile(r"(?:\[Filtered(?::[a-z_]+)?\])?")
# Times and shares, in which no rule finds anything. Each envelope has new ones, so remembering them would not help.
_HARMLESS = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})?|[01]\.[0-9]{1,12}"
)
_GAP = "\\\"'] \t"
_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-%\\[]"
_SPACES = " \t\r\n"
_LONGEST_NAME = 64
_LONGEST_BEFORE = 40
_LONGEST_CACHED = 256
_CACHE_SIZE = 4096
_SMALLEST_CARD = 13
_LARGEST_CARD = 19


class Budget:
    """What one call may still look at, in the unit of the rules' ``max_size``."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


class TextPattern:
    """Replaces what one pattern finds."""

    def __init__(self, rule: Pattern, keys: KeyMatcher) -> None:
        self.code = rule.code
        self.needs = rule.needs
        self._regex = re.compile(rule.pattern, FLAGS[rule.flags])
        self._before = re.compile(rule.before) if rule.before else None
        self._passes = CHECKS[rule.check] if rule.check else None
        self._keys = keys if rule.keyed else None
        self._marker = marker(rule.name)

    def replace(self, text: str) -> str:
        """Return the text with markers."""
        return self._regex.sub(self._replacement, text)

    def _replacement(self, match: re.Match[str]) -> str:
        start = match.start()
        kept = (match[1] or "") if self._regex.groups else ""
        if (
            _is_masked(match[0][len(kept) :])
            or (self._passes and not self._passes(match[0]))
            or (self._keys and not self._keys.is_sensitive(words_of(match[2])))
            or (self._before and not self._before.search(match.string[max(0, start - _LONGEST_BEFORE) : start]))
        ):
            return match[0]
        return kept + self._marker


class TextScrubber:
    """Applies the rules to text.

    It remembers short texts in which it found nothing, never any that it redacted.

    Args:
        rules: What is secret.
        keys: Which names are.
        personal_data: Whether e-mail addresses and the like may leave.
        code: Whether the text is source code, which names values without giving them.
        scrub_data: Scrubs what JSON text stands for.
    """

    def __init__(
        self,
        rules: Rules,
        keys: KeyMatcher,
        scrub_data: Callable[[Any, int, Budget], Any],
        *,
        personal_data: bool,
        code: bool,
    ) -> None:
        self.clean: set[str] = set()
        self._rules = rules
        self._keys = keys
        self._scrub_data = scrub_data
        self._code = code
        self._patterns = [
            TextPattern(rule, keys)
            for rule in rules.patterns
            if (rule.code if code else rule.text) and not (personal_data and rule.personal)
        ]
        self._sign = re.compile(rules.assignment.sign)
        self._value = re.compile(rules.assignment.literal if code else rules.assignment.value, FLAGS["i"])

    def scrub(self, text: str, depth: int, budget: Budget) -> str:
        """Return the text without secrets."""
        if text in self.clean or _HARMLESS.fullmatch(text):
            return text
        if len(text) <= self._rules.value_size:
            result = self._scrub(text, depth, budget)
        elif budget.left <= 0:
            return marker("size")
        else:
            given = min(len(text), self._rules.max_string_length)
            budget.left -= given
            result = self._scrub(text, depth, budget)
            budget.left -= max(0, len(result) - given)
        if result == text and len(text) <= _LONGEST_CACHED and not _may_be_json(text):
            if len(self.clean) >= _CACHE_SIZE:
                self.clean.clear()
            self.clean.add(text)
        return result

    def _scrub(self, text: str, depth: int, budget: Budget) -> str:
        text = self._cut(text)
        if not self._code and _may_be_json(text):
            rewritten = self._scrub_json(text, depth, budget)
            if rewritten is not None:
                return self._cut(rewritten)
        for pattern in self._patterns:
            for need in pattern.needs:
                if need in text:
                    text = pattern.replace(text)
                    break
        for sign in self._rules.assignment.signs:
            if sign in text:
                return self._cut(self._scrub_assignments(text))
        return self._cut(text)

    def _scrub_json(self, text: str, depth: int, budget: Budget) -> str | None:
        """Return JSON text without secrets, or ``None`` when it is no JSON in which each key comes once."""
        try:
            value = json.loads(text, object_pairs_hook=_unique)
            scrubbed = self._scrub_data(value, depth + 1, budget)
            return text if scrubbed == value else json.dumps(scrubbed, separators=(",", ":"), ensure_ascii=False)
        except (ValueError, RecursionError):
            return None

    def _scrub_assignments(self, text: str) -> str:
        pieces = []
        position = 0
        for sign in self._sign.finditer(text):
            name = name_before(text, position, sign.start())
            if not name or not self._keys.is_sensitive(words_of(name)):
                continue
            found = self._value.match(text, sign.end())
            if found and not _is_masked(found[0]):
                pieces += [text[position : sign.end()], self._rules.mask]
                position = found.end()
        return "".join([*pieces, text[position:]])

    def _cut(self, text: str) -> str:
        limit = self._rules.max_string_length
        if len(text) <= limit:
            return text
        end = marker("length")
        kept = text[: limit - len(end)]
        # The last word may be half a secret, which no pattern would recognise.
        return kept[: max(kept.rfind(space) for space in _SPACES) + 1] + end


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of a JSON object. The reader of another program may prefer another one of two."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _is_masked(text: str) -> bool:
    """Say whether a text is nothing or a marker, quotes aside."""
    return _MASKED.fullmatch(text.strip("\\\"'")) is not None


def _may_be_json(text: str) -> bool:
    return text.lstrip(_SPACES).startswith(("{", "["))


def name_before(text: str, start: int, end: int) -> str:
    """Return the name directly before ``end``, quotes and brackets aside; it begins at ``start`` or later."""
    head = text[max(start, end - _LONGEST_NAME) : end].rstrip(_GAP)
    before = head.rstrip(_NAME)
    return "" if before.endswith("[Filtered:") else head[len(before) :]


def passes_luhn(text: str) -> bool:
    """Say whether groups of digits that follow each other make a card number.

    Such a number has 13 to 19 digits and ends in a check digit (ISO/IEC 7812-1). What stands beside it, as an
    expiry date does, does not hide it.
    """
    groups = re.findall("[0-9]+", text.replace("%20", " "))
    for first, last in combinations(range(len(groups) + 1), 2):
        digits = "".join(groups[first:last])
        if _SMALLEST_CARD <= len(digits) <= _LARGEST_CARD and digits[0] in "23456" and _luhn_sum(digits) % 10 == 0:
            return True
    return False


def passes_iban(text: str) -> bool:
    """Say whether a text is an account number with a valid checksum (ISO 13616), perhaps with a word behind it."""
    groups = re.findall("[A-Z0-9]+", text.replace("%20", " "))
    numbers = ("".join(groups[:count]) for count in range(len(groups), max(0, len(groups) - 3), -1))
    return any(int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97 == 1 for number in numbers)


CHECKS: dict[str, Callable[[str], bool]] = {"luhn": passes_luhn, "iban": passes_iban}


def _luhn_sum(digits: str) -> int:
    values = [int(digit) for digit in reversed(digits)]
    return sum(values[::2]) + sum(sum(divmod(2 * value, 10)) for value in values[1::2])
