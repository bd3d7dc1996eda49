"""Profiles: where the places of code stand once, and everything else points at them by number.

A minute of a process with a few threads has more samples than the rules let one item hold, and a list of samples that
was cut, with a marker at its end, is no profile for Sentry.
https://develop.sentry.dev/sdk/telemetry/profiles/sample-format-v2/
"""

from collections.abc import Callable, Mapping
from typing import Any

PROFILE_CHUNK = "profile_chunk"
"""The type of the items that hold a part of a profile."""

_SAMPLE = {"timestamp", "thread_id", "stack_id"}
_TABLES = {"stacks", "samples"}


def scrub_profile(scrub: Callable[[Any], Any], chunk: Mapping[str, Any]) -> dict[str, Any]:
    """Scrub all of a profile but its numbers, which count in no limit.

    Args:
        scrub: What scrubs a JSON value by the rules.
        chunk: The payload of an item of the type ``profile_chunk``.

    Raises:
        ValueError: among the numbers stands something else, in which no rule would have looked.
    """
    profile = chunk["profile"]
    frames, stacks, samples = (profile[name] for name in ("frames", "stacks", "samples"))
    if not all(_is_index(place, frames) for stack in stacks for place in stack):
        raise ValueError("a stack holds something else than numbers of frames")
    if not all(_is_sample(sample, stacks) for sample in samples):
        raise ValueError("a sample holds something else than its time, its thread and the number of a stack")
    named = {name: part for name, part in profile.items() if name not in _TABLES}
    scrubbed = scrub({**chunk, "profile": named})
    return {**scrubbed, "profile": {**scrubbed["profile"], "samples": samples, "stacks": stacks}}


def _is_sample(sample: Mapping[str, Any], stacks: list[Any]) -> bool:
    return (
        sample.keys() == _SAMPLE
        and type(sample["timestamp"]) is float
        and sample["thread_id"].isdecimal()
        and _is_index(sample["stack_id"], stacks)
    )


def _is_index(number: object, table: list[Any]) -> bool:
    return type(number) is int and 0 <= number < len(table)
