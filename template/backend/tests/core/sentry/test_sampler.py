"""The sampler."""

import pytest

from app.core.sentry.sampler import make_sampler

sample = make_sampler(0.25, ["/health"])


def test_without_a_parent_the_rate_decides() -> None:
    assert sample({"asgi_scope": {"path": "/orders"}}) == 0.25
    assert sample({"parent_sampled": None}) == 0.25


@pytest.mark.parametrize("decision", [True, False])
def test_the_decision_of_the_parent_is_honoured(decision: bool) -> None:
    assert sample({"asgi_scope": {"path": "/orders"}, "parent_sampled": decision}) == float(decision)


def test_ignored_paths_are_never_traced() -> None:
    assert sample({"asgi_scope": {"path": "/health"}, "parent_sampled": True}) == 0.0
    assert sample({"asgi_scope": {"path": "/healthy"}}) == 0.25
