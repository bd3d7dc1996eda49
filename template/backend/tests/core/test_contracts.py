"""The contracts as the backend reads them."""

from typing import get_args

from app.core.contracts import EnvironmentName, policies, project


def test_each_environment_has_a_policy() -> None:
    assert tuple(policies()) == get_args(EnvironmentName)


def test_errors_are_never_sampled() -> None:
    assert {policy.error_sample_rate for policy in policies().values()} == {1.0}


def test_production_shows_nothing_of_itself() -> None:
    production = policies()["production"]

    assert production.diagnostics == "closed"
    assert not production.local_variables
    assert not production.request_bodies


def test_the_slug_can_begin_a_release() -> None:
    assert project().slug
    assert "@" not in project().slug
