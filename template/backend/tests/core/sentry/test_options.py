"""The options of the SDK, with the sampler that is one of them."""

import re
from inspect import signature
from typing import Any

import pytest
from sentry_sdk.consts import ClientConstructor

from app.core.sentry.options import build_data_collection, build_options
from app.core.sentry.sampler import make_sampler
from tests.support import DSN, RELEASE, LoadSettings

PER_ENVIRONMENT = [
    ("development", 1.0, 100, True),
    ("staging", 0.5, 100, True),
    ("production", 0.1, 50, False),
]

# These are deprecated, or would bring data back that we do not collect.
REFUSED = {"send_default_pii", "enable_tracing", "profiles_sample_rate", "event_scrubber", "traces_sample_rate"}


def sample(options: dict[str, Any], **context: object) -> float:
    rate: float = options["traces_sampler"](context)
    return rate


@pytest.mark.parametrize(("name", "rate", "crumbs", "variables"), PER_ENVIRONMENT)
def test_each_environment_has_its_policy(
    name: str, rate: float, crumbs: int, variables: bool, load: LoadSettings
) -> None:
    options = build_options(load(SENTRY_DSN=DSN, ENVIRONMENT=name), RELEASE)

    assert options["dsn"] == DSN
    assert options["environment"] == name
    assert options["release"] == RELEASE
    assert sample(options) == rate
    assert options["profile_session_sample_rate"] == rate
    assert options["strict_trace_continuation"] is (name != "development")
    assert options["max_breadcrumbs"] == crumbs
    assert options["include_local_variables"] is variables
    assert options["data_collection"]["stack_frame_variables"] is variables
    assert options["max_request_body_size"] == "never"


def test_every_option_exists_and_none_is_deprecated(load: LoadSettings) -> None:
    options = build_options(load(SENTRY_DSN=DSN), RELEASE)

    assert options.keys() <= signature(ClientConstructor.__init__).parameters.keys()
    assert not options.keys() & REFUSED


def test_every_category_of_data_is_decided(load: LoadSettings) -> None:
    collected = build_data_collection(load())

    assert collected == {
        "user_info": False,
        "cookies": {"mode": "off"},
        "http_headers": {"request": {"mode": "allowlist", "terms": ["content-type", "user-agent", "host"]}},
        "http_bodies": [],
        "url_query_params": {"mode": "off"},
        "graphql": {"document": False, "variables": False},
        "gen_ai": {"inputs": False, "outputs": False},
        "database_query_data": False,
        "queues": False,
        "stack_frame_variables": True,
        "frame_context_lines": 0,
    }


def test_personal_data_leaves_only_on_request(load: LoadSettings) -> None:
    assert build_data_collection(load(SENTRY_SEND_DEFAULT_PII="true"))["user_info"] is True


def test_tracing_can_be_switched_off(load: LoadSettings) -> None:
    options = build_options(load(SENTRY_DSN=DSN, SENTRY_ENABLE_TRACING="false"), RELEASE)

    assert options["traces_sampler"] is None
    assert options["profile_session_sample_rate"] == 0.0


def test_trace_headers_go_to_named_hosts_only(load: LoadSettings) -> None:
    assert build_options(load(SENTRY_DSN=DSN), RELEASE)["trace_propagation_targets"] == []
    [target] = build_options(load(SENTRY_TRACE_TARGETS="api.example.com"), RELEASE)["trace_propagation_targets"]

    assert re.search(target, "https://api.example.com/v1")
    assert re.search(target, "http://api.example.com")
    assert not re.search(target, "https://api.example.com.evil.net/")
    assert not re.search(target, "https://evil.net/?https://api.example.com/")
    assert not re.search(target, "https://apiXexample.com/")


def test_a_rate_of_zero_leaves_the_decision_to_callers(load: LoadSettings) -> None:
    options = build_options(load(SENTRY_DSN=DSN, SENTRY_TRACES_SAMPLE_RATE="0"), RELEASE)

    assert sample(options) == 0.0
    assert sample(options, parent_sampled=True) == 1.0


sampler = make_sampler(0.25, ["/health"], {"/orders/{id}/items": 0.5, "/orders/{id}/{part}": 0.75, "/v1.0": 1.0})


def test_without_a_parent_the_rate_decides() -> None:
    assert sampler({"asgi_scope": {"path": "/orders"}}) == 0.25
    assert sampler({"parent_sampled": None}) == 0.25


@pytest.mark.parametrize("decision", [True, False])
def test_the_decision_of_the_parent_is_honoured(decision: bool) -> None:
    assert sampler({"asgi_scope": {"path": "/orders"}, "parent_sampled": decision}) == float(decision)


@pytest.mark.parametrize(
    ("path", "rate"),
    [
        ("/orders/7/items", 0.5),
        ("/orders/7/bills", 0.75),
        ("/orders/7", 0.25),
        ("/orders/7/items/1", 0.25),
        ("/v1.0", 1.0),
        ("/v1x0", 0.25),
    ],
)
def test_a_route_may_have_a_rate_of_its_own(path: str, rate: float) -> None:
    assert sampler({"asgi_scope": {"path": path}}) == rate
    assert sampler({"asgi_scope": {"path": path}, "parent_sampled": True}) == 1.0


def test_ignored_paths_are_never_traced() -> None:
    assert sampler({"asgi_scope": {"path": "/health"}, "parent_sampled": True}) == 0.0
    assert sampler({"asgi_scope": {"path": "/healthy"}}) == 0.25
