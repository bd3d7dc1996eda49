"""The sampler decides by rate which requests are traced. Errors never go through it: all of them are sent."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

Sampler = Callable[[Mapping[str, Any]], float]


def make_sampler(rate: float, ignored_paths: Collection[str]) -> Sampler:
    """Return the SDK's ``traces_sampler``.

    Args:
        rate: Share of traces to keep when nobody decided before, 0 to 1. 0 keeps none, whatever the caller decided.
        ignored_paths: Request paths that are never traced, whatever the caller decided.
    """
    ignored = frozenset(ignored_paths)

    def sample(context: Mapping[str, Any]) -> float:
        if rate == 0 or context.get("asgi_scope", {}).get("path") in ignored:
            return 0.0
        parent = context.get("parent_sampled")
        return rate if parent is None else float(parent)

    return sample
