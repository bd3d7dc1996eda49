"""The sampler decides by rate which requests are traced. Errors never go through it."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from app.core.sentry.requests import path_of

Sampler = Callable[[Mapping[str, Any]], float]

_PARAMETER = re.compile(r"\{[^{}/]*\}")


def make_sampler(rate: float, ignored_paths: Collection[str], by_route: Mapping[str, float] | None = None) -> Sampler:
    """Return the SDK's ``traces_sampler``.

    Who decides, in this order: a path that is never traced, the caller, the route's own rate, the rate.

    Args:
        rate: Share of traces to keep, 0 to 1.
        ignored_paths: Request paths that are never traced, whatever the caller decided.
        by_route: Rates of single routes by path template; the first that fits decides.
    """
    ignored = frozenset(ignored_paths)
    routes = [(_matcher(template), own_rate) for template, own_rate in (by_route or {}).items()]

    def sample(context: Mapping[str, Any]) -> float:
        path = path_of(context.get("asgi_scope", {}))
        if path in ignored:
            return 0.0
        parent = context.get("parent_sampled")
        if parent is not None:
            return float(parent)
        return next((own_rate for matches, own_rate in routes if matches(path)), rate)

    return sample


def _matcher(template: str) -> Callable[[str], object]:
    """Return what tells whether a path is of a template; ``{name}`` stands for one part of it."""
    literals = map(re.escape, _PARAMETER.split(template))
    return re.compile("[^/]+".join(literals)).fullmatch
