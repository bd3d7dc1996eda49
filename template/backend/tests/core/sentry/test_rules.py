"""The rules themselves."""

import re

import pytest

from app.core.sentry.rules import FLAGS, load_rules, passes_luhn, words_of

RULES = load_rules()
LISTS = ["sensitive_parts", "sensitive_keys", "personal_keys", "harmless_keys", "identifier_keys", "source_keys"]
NOT_IN_JAVASCRIPT = re.compile(r"\(\?P|\(\?>|[*+?}]\+|\\A|\\Z|\(\?\(|\(\?#|\(\?[aiLmsux]")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("x_api_key", "x api key"),
        ("X-Api-Key", "x api key"),
        ("xApiKey", "x api key"),
        ("APIKey", "api key"),
        ("HTTP_X_FORWARDED_FOR", "http x forwarded for"),
        ("oauth2Token", "oauth 2 token"),
        ("b'cookie'", "b cookie"),
        ("[Filtered:email] address", "address"),
        ("", ""),
        ("مفتاح", ""),
    ],
)
def test_words_of_a_key(key: str, words: str) -> None:
    assert words_of(key) == words


@pytest.mark.parametrize("name", LISTS)
def test_entries_are_words_and_in_no_list_twice(name: str) -> None:
    entries = list(getattr(RULES, name))

    assert len(set(entries)) == len(entries)
    assert all(words_of(entry) == entry for entry in entries)


def test_a_harmless_key_would_otherwise_be_sensitive_or_is_not_needed() -> None:
    sensitive = RULES.sensitive_keys + RULES.personal_keys + RULES.sensitive_parts

    for entry in RULES.harmless_keys:
        assert any(word in f" {entry} " or word in entry.replace(" ", "") for word in sensitive), entry


def test_names_of_patterns_fit_into_a_marker() -> None:
    assert all(re.fullmatch("[a-z_]+", pattern.name) for pattern in RULES.patterns)


def test_expressions_are_those_that_both_languages_share() -> None:
    assignment = RULES.assignment
    expressions = [pattern.pattern for pattern in RULES.patterns]
    expressions += [assignment.start, assignment.value, assignment.literal, RULES.identifier_value]

    for expression in expressions:
        assert not NOT_IN_JAVASCRIPT.search(expression), expression
        assert not re.search(r"\\[dwsDWS](?!\\S)", expression.replace(r"[\s\S]", "")), expression
        re.compile(expression, FLAGS["i"])


@pytest.mark.parametrize(("text", "passes"), [("4111 1111 1111 1111", True), ("4111 1111 1111 1112", False)])
def test_luhn(text: str, passes: bool) -> None:
    assert passes_luhn(text) is passes
