"""The frames of a stack trace: what they show, and which place they name."""

import linecache
from collections.abc import Iterator, Mapping
from typing import Any

LINES_AROUND = 5
"""Lines of source before and after the one that failed."""


def complete_frames(event: Mapping[str, Any], *, with_variables: bool = True) -> None:
    """Add source to the frames of our own code, and take the local variables from all others.

    The SDK itself would read the file of every frame anew for every error, which takes longer than all the rest.
    The local variables of libraries hold whole requests, and what our own frames show by name.

    Args:
        event: The event.
        with_variables: Whether our own frames keep theirs.
    """
    for frame in _frames(event):
        is_own = frame.get("in_app")
        if is_own:
            _add_source(frame)
        if not (is_own and with_variables):
            frame.pop("vars", None)


def place_of(event: Mapping[str, Any], hint: Mapping[str, Any]) -> tuple[Any, ...]:
    """Say what happened at which line: texts may differ in each round of a loop, places do not.

    An exception counts where it was raised, also when it was logged: many are logged by one line of a server.
    """
    record = hint.get("log_record")
    if record is not None and not event.get("exception"):
        return ("log", record.name, record.levelno, record.pathname, record.lineno)
    exceptions = (event.get("exception") or {}).get("values") or [{}]
    carrier = exceptions[-1] or ((event.get("threads") or {}).get("values") or [{}])[0]
    frames = (carrier.get("stacktrace") or {}).get("frames") or [{}]
    frame = next((frame for frame in reversed(frames) if frame.get("in_app")), frames[-1])
    return (carrier.get("type"), event.get("level"), frame.get("module"), frame.get("function"), frame.get("lineno"))


def _frames(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for group in ("exception", "threads"):
        for carrier in (event.get(group) or {}).get("values") or []:
            yield from (carrier.get("stacktrace") or {}).get("frames") or []


def _add_source(frame: dict[str, Any]) -> None:
    # Cached, and empty when there is no such file.
    lines = linecache.getlines(frame.get("abs_path") or "")
    index = (frame.get("lineno") or 0) - 1
    if 0 <= index < len(lines):
        texts = [line.rstrip("\r\n") for line in lines[max(index - LINES_AROUND, 0) : index + LINES_AROUND + 1]]
        middle = min(index, LINES_AROUND)
        frame["pre_context"], frame["context_line"], frame["post_context"] = (
            texts[:middle],
            texts[middle],
            texts[middle + 1 :],
        )
