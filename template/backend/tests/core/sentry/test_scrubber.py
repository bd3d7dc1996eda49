"""The scrubber: the corpus that both sides share, and what holds for any input."""

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core.contracts import CONTRACTS
from app.core.sentry.rules import KeyMatcher, Pattern, load_rules
from app.core.sentry.scrubber import Scrubber
from app.core.sentry.text import TextPattern, passes_iban, passes_luhn

RULES = load_rules()
CASES = json.loads((CONTRACTS / "scrubber-cases.json").read_text(encoding="utf-8"))
KEYS = KeyMatcher(RULES, personal_data=False)
CANARY = "Zx9CanaryQ7"

scrubber = Scrubber(RULES)
permissive = Scrubber(RULES, personal_data=True)


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in texts_in(item)]


REDACTED = [text for case in CASES if case["input"] != case["expected"] for text in texts_in(case["input"])]
SURVIVING = [text for case in CASES if case["name"].startswith("survives") for text in texts_in(case["input"])]

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


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case_the_second_time(case: dict[str, Any]) -> None:
    assert scrubber.scrub(case["expected"]) == case["expected"]


@pytest.mark.parametrize("pattern", RULES.patterns, ids=[pattern.name for pattern in RULES.patterns])
def test_each_pattern_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(pattern: Pattern) -> None:
    rule = TextPattern(pattern, KEYS)

    assert any(rule.replace(text) != text for text in REDACTED)
    assert any(need in text for need in pattern.needs for text in SURVIVING)


@pytest.mark.parametrize("pattern", RULES.patterns, ids=[pattern.name for pattern in RULES.patterns])
def test_a_text_without_what_a_pattern_needs_does_not_match(pattern: Pattern) -> None:
    rule = TextPattern(pattern, KEYS)

    for text in REDACTED + SURVIVING:
        assert any(need in text for need in pattern.needs) or rule.replace(text) == text


@pytest.mark.parametrize("key", RULES.sensitive_keys + RULES.sensitive_parts + RULES.personal_keys)
def test_each_sensitive_key_is(key: str) -> None:
    assert scrubber.scrub({key: "x"}) == {key: "[Filtered]"}
    assert scrubber.scrub({key.replace(" ", "_").upper(): "x"}) != {key: "x"}


@pytest.mark.parametrize("key", sorted(RULES.harmless_keys))
def test_each_harmless_key_is(key: str) -> None:
    assert scrubber.scrub({key: "x"}) == {key: "x"}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("4111 1111 1111 1111", True),
        ("4111 1111 1111 1112", False),
        ("7 4111 1111 1111 1111 12", True),
        ("4111", False),
        ("", False),
    ],
)
def test_luhn(text: str, passes: bool) -> None:
    assert passes_luhn(text) is passes


@pytest.mark.parametrize(
    ("text", "passes"), [("DE89370400440532013000", True), ("DE89 3704 0044 0532 0130 01", False), ("", False)]
)
def test_iban(text: str, passes: bool) -> None:
    assert passes_iban(text) is passes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"loyaltyNumber": "7"}, {"loyaltyNumber": "[Filtered]"}),
        ({"my_loyalty_number_2": "7"}, {"my_loyalty_number_2": "[Filtered]"}),
        ({"loyaltynumber": "7"}, {"loyaltynumber": "[Filtered]"}),
        ("loyalty-number=7", "loyalty-number=[Filtered]"),
        ({"رقم العضوية": "7"}, {"رقم العضوية": "[Filtered]"}),
        # Harmless otherwise.
        ({"token_count": 7}, {"token_count": "[Filtered]"}),
        ({"loyalty": "7", "number": "7"}, {"loyalty": "7", "number": "7"}),
    ],
)
def test_own_keys_of_the_project_are_redacted_in_any_spelling(value: Any, expected: Any) -> None:
    own = Scrubber(RULES, extra_keys=["Loyalty-Number", "token_count", " ", "رقم العضوية"])

    assert own.scrub(value) == expected


@pytest.mark.parametrize("key", sorted(RULES.protocol_keys))
def test_no_own_key_hides_what_the_protocol_needs(key: str) -> None:
    own = Scrubber(RULES, extra_keys=[key, *key.split()])

    assert own.scrub({key: "x"}) == {key: "x"}


@given(trees)
@example({"password": "[Filtered:email]"})
@example('{"password":"x","password":null}')
@example("Cookie: a=password: b")
def test_scrubbing_twice_is_scrubbing_once(value: Any) -> None:
    once = scrubber.scrub(value)

    assert scrubber.scrub(once) == once


@given(anything)
def test_anything_is_accepted_and_becomes_json(value: Any) -> None:
    once = scrubber.scrub(value)

    json.dumps(once, allow_nan=False)
    assert scrubber.scrub(once) == once


class Odd(str):
    """Text that fails whoever asks it anything."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


class Blank(dict[Any, Any]):
    """A mapping that denies what it holds."""

    def items(self) -> Any:
        raise RuntimeError

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({b"password": b"hunter2", b"n": b"ok"}, {"password": "[Filtered]", "n": "ok"}),
        ([(b"cookie", b"hunter2")], [["cookie", "[Filtered]"]]),
        ({("a", "password"): "hunter2"}, {"[Filtered:type]": "[Filtered]"}),
        ({None: "a", True: "b", 7: "c", 1.5: "d"}, {"null": "a", "true": "b", "7": "c", "1.5": "d"}),
        ({1, 2}, "[Filtered:type]"),
        (object, "[Filtered:type]"),
        ("\ud800 password=hunter2", "\ud800 password=[Filtered]"),
    ],
)
def test_odd_values(value: Any, expected: Any) -> None:
    assert scrubber.scrub(value) == expected


def test_values_of_classes_that_answer_nothing() -> None:
    assert scrubber.scrub([Odd("password=hunter2")]) == ["password=[Filtered]"]
    assert scrubber.scrub(Blank({"password": "hunter2", "a": 1})) == {"password": "[Filtered]", "a": 1}


def test_what_contains_itself_ends() -> None:
    circle: dict[str, Any] = {"list": []}
    circle["list"].append(circle)

    assert "[Filtered:depth]" in json.dumps(scrubber.scrub(circle))


def test_what_many_places_share_is_bounded() -> None:
    shared: Any = ["leaf"]
    for _ in range(RULES.max_depth):
        shared = [shared, shared]

    once = scrubber.scrub(shared)

    text = json.dumps(once)
    assert "[Filtered:size]" in text
    assert len(text) < 2 * RULES.max_size
    assert scrubber.scrub(once) == once


def test_much_text_is_bounded() -> None:
    text = "no secret here " * 1000
    once = scrubber.scrub([text] * 1000)

    assert once[0] == text
    assert once[-1] == "[Filtered:size]"
    assert scrubber.scrub(once) == once


def test_redacted_text_is_not_remembered() -> None:
    fresh = Scrubber(RULES)
    fresh.scrub({"note": "password=hunter2 ada@example.com", "ada@example.com": 1, "password": "hunter2"})

    remembered = repr((vars(fresh), vars(fresh._text), vars(fresh._code)))
    assert "hunter2" not in remembered
    assert "ada@example.com" not in remembered


def test_memory_is_bounded() -> None:
    fresh = Scrubber(RULES)
    fresh.scrub([{f"key {index}": f"value {index}"} for index in range(10_000)])

    assert len(fresh._known_keys) <= 4096
    assert len(fresh._text.clean) <= 4096


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


WRAPPED = ["{}", "{} ", "see {}", "'{}'", "({})", "a=1, {}", "[{}]", "x\n{}\ny"]
IN_TEXT = [
    "{key}={canary}", "{key}: {canary}", "{key} = '{canary}'", "'{key}': 'two {canary} words'", '"{key}":"{canary}"',
    '\\"{key}\\": \\"{canary}\\"', "{key}%3D{canary}", "a=1&{key}={canary}&b=2", "?{key}={canary}", "--{key} {canary}",
    "User(id=1, {key}='{canary}', n=2)", "Config({key}=Secret('{canary}'))", "{key}=b'{canary}'",
    "(b'{key}', b'{canary}')",
    "('{key}', '{canary}')", "<{key}>{canary}</{key}>", "{{'{key}': '{canary}'}}", "{key}=['{canary}']",
    'form-data; name="{key}"\r\n\r\n{canary}\r\n--', "https://host.example/?a=1&{key}={canary}", "/cb?code={canary}",
    "https://host.example/#{canary}", "https://user:{canary}@host.example/", "redis://:{canary}@cache", "db://app:{canary}",
    "Authorization: Bearer {canary}", "Bearer {canary}", "Cookie: a=b; c={canary}", "sessionid={canary}; theme=dark",
    "eyJhbGciOiJIUzI1NiJ9.{canary}.c2ln", "-----BEGIN PRIVATE KEY-----\\n{canary}", "ghp_{canary}0123456789abcdef",
    "sk-ant-{canary}", "xoxb-{canary}", "glpat-{canary}01234567", "SG.{canary}0123456789", "AKIA{upper}0123456789",
    "/reset-password/{canary}", "/invite/{canary}/accept", "https://hooks.slack.com/services/T/B/{canary}",
    "{canary}@host.example", "curl -u ada:{canary} https://host.example/",
]  # fmt: skip
SURVIVORS = [
    "{uuid}", "{sha}", "my-app@0.1.0+{sha}", "2026-11-22T04:04:07.{micro}Z", "order-{number}",
    "user {number} not found",
    "GET /users/{{id:int}} 200 in {number} ms", "/srv/app/core/session_{number}.py",
    "SELECT a FROM t WHERE token = %s AND n = ${digit}",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/15{digit}.0.0.0 Safari/537.36",
    "version {digit}.0.{digit}.1",
    "token refreshed in {number} ms", "password reset requested", "https://host.example:80{digit}/orders/{number}",
    "<Order id={number} status='paid'>", "retry {digit}/5", "pydantic-core==2.{number}.{digit}", "trace {sha}",
]  # fmt: skip


@st.composite
def wrapped(draw: st.DrawFn, value: Any, others: st.SearchStrategy[Any]) -> Any:
    """Draw a tree around a value."""
    for _ in range(draw(st.integers(0, 4))):
        other = draw(others)
        value = draw(st.sampled_from([[other, value], {"a": other, "b": value}, (value,), json.dumps([value])]))
    return value


@st.composite
def planted(draw: st.DrawFn) -> Any:
    """Draw a tree with a canary in one of the places that give a secret away."""
    key = draw(st.sampled_from(["password", "api_key", "X-Auth-Token", "clientSecret", "cookie", "DB_PASSWORD", "pin"]))
    line = draw(st.sampled_from(IN_TEXT)).format(key=key, canary=CANARY, upper=CANARY.upper())
    secret = draw(
        st.sampled_from(
            [
                {key: CANARY},
                {key: [CANARY, {"a": CANARY}]},
                [[key, CANARY]],
                (key, CANARY),
                {"name": key, "value": CANARY},
                [f"--{key}", CANARY],
                {"token": {"value": CANARY, "type": "string"}},
                {"user": {"id": 1, "plan": CANARY}},
                json.dumps({"outer": [{key: CANARY}]}),
                json.dumps(json.dumps({key: CANARY})),
                *[draw(st.sampled_from(WRAPPED)).format(line)] * 12,
            ]
        )
    )
    return draw(wrapped(CANARY if secret is None else secret, trees))


@given(planted())
@settings(max_examples=400)
def test_no_canary_survives(value: Any) -> None:
    before = copy.deepcopy(value)
    once = scrubber.scrub(value)

    assert CANARY.lower() not in json.dumps(once).lower()
    assert scrubber.scrub(once) == once
    assert value == before


@st.composite
def harmless(draw: st.DrawFn) -> Any:
    """Draw a tree of ordinary values."""
    values = {
        "uuid": str(draw(st.uuids())),
        "sha": "a" + draw(st.text("0123456789abcdef", min_size=39, max_size=39)),
        "micro": draw(st.integers(100_000, 999_999)),
        "number": draw(st.integers(1, 99_999)),
        "digit": draw(st.integers(1, 9)),
    }
    line = draw(st.sampled_from(SURVIVORS)).format_map(values)
    ordinary = st.sampled_from([1, 2.5, None, True, "ok", values["uuid"], {"id": values["number"]}])
    return json.loads(json.dumps(draw(wrapped(draw(st.sampled_from([line, {"message": line}, [line, 1]])), ordinary))))


@given(harmless())
def test_no_survivor_changes(value: Any) -> None:
    assert scrubber.scrub(value) == value


def test_depth_and_width_are_bounded() -> None:
    deep: Any = "bottom"
    for _ in range(10_000):
        deep = [deep]

    text = json.dumps(scrubber.scrub(deep))

    assert text == "[" * RULES.max_depth + '"[Filtered:depth]"' + "]" * RULES.max_depth
    array = scrubber.scrub([0] * (RULES.max_width + 1))
    assert (len(array), array[-1]) == (RULES.max_width, "[Filtered:width]")
    fields = scrubber.scrub({str(n): n for n in range(RULES.max_width + 1)})
    assert (len(fields), fields["[Filtered:width]"]) == (RULES.max_width, "[Filtered:width]")
    assert scrubber.scrub(array) == array
    assert scrubber.scrub(fields) == fields


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
        "http://a", "http://a?", "curl ", "curl -u ", "hooks.slack.com/services/", "sid=", "/a?'", "/a?b\\<'",
        "-----END PRIVATE KEY-----", "4 ", "ab:b://", "/a?", "=/", "/invite/", "/aA1", "form-data; name=a",
        "('token', ", "<a", "<token>", "--token ", "+1 ", "DE89 ", "123-45-", "1.2.3.4 ", "f:", "key-", "dapi", "hf_",
        "Bearer+", "a%3D", "token[", "token=\\'", "u: str =", "Key (", "Key (token)=(", "Key (token)=(a) ",
        "Failing row contains (", "password is ", "a-a is ", "password was '", "a:", "a.a:bbbbbb", "bob:secret1@h.",
        "'--token', ", "card-4 ", "a-4111 ", ";a=", ";token=abc ", "x&token=", "\n" + "a" * 76, "aA1", "\n  b'aA1",
        "aA1" * 22 + "\n", "aA1" * 22 + "\\n", "password: a ", "secret: ", "password: " + "a " * 500,
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
            unlimited.scrub({"message": text, "context_line": text})
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
