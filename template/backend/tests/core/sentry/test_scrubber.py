"""The scrubber: the corpus that both sides share, and what holds for any input."""

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.contracts import CONTRACTS
from app.core.sentry.rules import load_rules
from app.core.sentry.scrubber import Scrubber

RULES = load_rules()
CASES = json.loads((CONTRACTS / "scrubber-cases.json").read_text(encoding="utf-8"))
CANARY = "Zx9CanaryQ7"

scrubber = Scrubber(RULES)
permissive = Scrubber(RULES, personal_data=True)

# Text in which rules find something to chew on.
WORDS = ["password", "token", "Cookie", "Bearer ", "eyJhbGci", "4111111111111111", "[Filtered]", "[Filtered:email]"]
SIGNS = [*"=:\"'{}[]\\&@.-, \n", "%40", "//", "a.com", "http:", "?"]
texts = st.text(max_size=40) | st.lists(st.sampled_from(WORDS + SIGNS), max_size=12).map("".join)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
trees = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
anything = st.recursive(
    trees | st.binary(max_size=4) | st.floats() | st.builds(object) | st.just({1, 2}) | st.just((1, "a", b"c")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers() | st.booleans() | st.none() | texts, inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    assert scrubber.scrub(case["input"]) == case["expected"]


def test_names_of_cases_are_unique_and_some_cases_survive() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)
    survivors = [case for case in CASES if case["name"].startswith("survives")]
    assert len(survivors) > len(CASES) / 5
    assert all(case["input"] == case["expected"] for case in survivors)


@pytest.mark.parametrize("pattern", RULES.patterns, ids=[pattern.name for pattern in RULES.patterns])
def test_each_pattern_has_a_case(pattern: Any) -> None:
    assert any(f"[Filtered:{pattern.name}]" in json.dumps(case["expected"]) for case in CASES)


@given(trees)
@example({"password": "[Filtered:email]"})
@example('{"password":"x","password":null}')
@example("Cookie: a=password: b")
def test_scrubbing_twice_is_scrubbing_once(value: Any) -> None:
    once = scrubber.scrub(value)

    assert scrubber.scrub(once) == once


@given(anything)
def test_anything_is_accepted_and_becomes_json(value: Any) -> None:
    json.dumps(scrubber.scrub(value), allow_nan=False)


@given(trees)
def test_what_is_given_is_not_changed(value: Any) -> None:
    before = copy.deepcopy(value)

    scrubber.scrub(value)

    assert value == before


@given(texts)
def test_text_stays_within_the_limit(text: str) -> None:
    small = Scrubber(RULES.model_copy(update={"max_string_length": 40}))

    once = small.scrub_text(text * 5)

    assert len(once) <= 40
    assert small.scrub_text(once) == once


@st.composite
def planted(draw: st.DrawFn) -> Any:
    """Draw a tree with a canary in one of the places that give a secret away."""
    key = draw(st.sampled_from(["password", "api_key", "X-Auth-Token", "clientSecret", "cookie", "DB_PASSWORD", "pin"]))
    before, after = draw(texts), draw(st.sampled_from(["", " ok", "\nok", ", n=1", "&n=1"]))
    quoted = "".join(letter for letter in before if letter not in "\"'\\")
    secret = draw(
        st.sampled_from(
            [
                {key: CANARY},
                {key: [CANARY, {"a": CANARY}]},
                [[key, CANARY]],
                [f"--{key}", CANARY],
                {"token": {"value": CANARY, "type": "string"}},
                json.dumps({"outer": [{key: CANARY}]}),
                f"{quoted} {key}={CANARY}{after}",
                f"{quoted} {key}: {CANARY}{after}",
                f"{quoted} '{key}': 'two {CANARY} words'{after}",
                f"https://host.example/?a=1&{key}={CANARY}{after}",
                f"https://user:{CANARY}@host.example/{after}",
                f"Authorization: Bearer {CANARY}{after}",
                f"Cookie: a=b; c={CANARY}{after}",
                f"eyJhbGciOiJIUzI1NiJ9.{CANARY}.c2ln{after}",
                f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
                f"ghp_{CANARY}0123456789abcdef",
                f"{CANARY}@host.example",
            ]
        )
    )
    for _ in range(draw(st.integers(0, 4))):
        wrap = draw(st.sampled_from(["list", "dict", "json"]))
        other = draw(trees)
        if wrap == "list":
            secret = [other, secret]
        elif wrap == "dict":
            secret = {"a": other, "b": secret}
        else:
            secret = json.dumps([secret])
    return secret


@given(planted())
def test_no_canary_survives(value: Any) -> None:
    assert CANARY not in json.dumps(scrubber.scrub(value))


def test_depth_and_width_are_bounded() -> None:
    deep: Any = "bottom"
    for _ in range(10_000):
        deep = [deep]

    text = json.dumps(scrubber.scrub(deep))

    assert text == "[" * RULES.max_depth + '"[Filtered:depth]"' + "]" * RULES.max_depth
    assert len(scrubber.scrub([0] * (RULES.max_width + 1))) == RULES.max_width
    assert len(scrubber.scrub({str(n): n for n in range(RULES.max_width + 1)})) == RULES.max_width


def test_json_in_text_that_is_too_deep_is_text() -> None:
    text = "[" * 5_000 + '{"password": "hunter2"}' + "]" * 5_000

    assert "hunter2" not in scrubber.scrub_text(text)


def test_text_that_is_too_long_loses_its_end_and_its_last_word() -> None:
    assert scrubber.scrub_text("word " * 10_000).endswith("word [Filtered:length]")
    assert scrubber.scrub_text("x" * 100_000) == "[Filtered:length]"


def test_huge_numbers_are_no_problem() -> None:
    assert scrubber.scrub([10**5000, float("inf"), float("nan")]) == ["[Filtered:length]", "inf", "nan"]


@pytest.mark.parametrize(
    "unit",
    [
        "password=", "eyJaaaaaaaa-", "a@", "a@b.", "bearer ", "4111 ", "://", "x" * 64 + " ", "https://a:b", "'", '"',
        "\\", "{[", "token: {", "-----BEGIN PRIVATE KEY-----", "cookie: ", "%40", "a.", "[Filtered", "_", "Aa",
        "http://a", "http://a?", "curl ", "curl -u ", "hooks.slack.com/services/", "sid=",
    ],
)  # fmt: skip
def test_time_grows_with_the_length_and_not_faster(unit: str) -> None:
    rules = RULES.model_copy(update={"max_string_length": 10**7})
    unlimited = Scrubber(rules)

    def seconds(size: int) -> float:
        text = (unit * size)[:size]
        times = []
        for _ in range(3):
            start = time.process_time()
            unlimited.scrub_text(text)
            times.append(time.process_time() - start)
        return min(times)

    # Eight times the text takes eight times as long; a quadratic rule would take 64 times. A busy machine may
    # disturb one measurement, and does not make a quadratic rule linear in any of them.
    assert any(seconds(40_000) < 24 * max(seconds(5_000), 0.0005) for _ in range(5))


def test_personal_data_leaves_when_it_is_allowed_and_secrets_do_not() -> None:
    value = {"email": "ada@example.com", "note": "mail ada@example.com", "password": "p", "key": "Bearer abc12345"}

    assert permissive.scrub(value) == {
        "email": "ada@example.com",
        "note": "mail ada@example.com",
        "password": "[Filtered]",
        "key": "Bearer [Filtered:bearer]",
    }
