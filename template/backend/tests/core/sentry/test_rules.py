"""The rules themselves."""

import re

import pytest

from app.core.sentry.rules import FLAGS, KeyMatcher, load_rules, words_of

RULES = load_rules()
LISTS = [
    "sensitive_parts", "sensitive_keys", "personal_keys", "harmless_keys", "identifier_keys", "source_keys",
    "address_keys",
]  # fmt: skip
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
        ("user%5Bpassword%5D", "user password"),
        ("\\ntoken", "token"),
        ("[Filtered:email] address", "address"),
        ("", ""),
        ("مفتاح", "مفتاح"),
    ],
)
def test_words_of_a_key(key: str, words: str) -> None:
    assert words_of(key) == words


@pytest.mark.parametrize("name", LISTS)
def test_entries_are_words_and_in_no_list_twice(name: str) -> None:
    entries = list(getattr(RULES, name))

    assert len(set(entries)) == len(entries)
    assert all(words_of(entry) == entry for entry in entries)


def test_a_harmless_key_would_otherwise_be_sensitive() -> None:
    strict = KeyMatcher(RULES.model_copy(update={"harmless_keys": frozenset()}), personal_data=False)

    assert [entry for entry in RULES.harmless_keys if not strict.is_sensitive(entry)] == []


def test_names_of_patterns_fit_into_a_marker() -> None:
    assert all(re.fullmatch("[a-z_]+", pattern.name) for pattern in RULES.patterns)


def test_expressions_are_those_that_both_languages_share() -> None:
    assignment = RULES.assignment
    expressions = [pattern.pattern for pattern in RULES.patterns]
    expressions += [pattern.before for pattern in RULES.patterns if pattern.before]
    expressions += [assignment.sign, assignment.value, assignment.literal, RULES.identifier_value, RULES.address_value]

    for expression in expressions:
        assert not NOT_IN_JAVASCRIPT.search(expression), expression
        assert not re.search(r"\\[dwsDWS](?!\\S)", expression.replace(r"[\s\S]", "")), expression
        re.compile(expression, FLAGS["i"])
