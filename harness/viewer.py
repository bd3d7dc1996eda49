"""Read events back from the local Sentry viewer of ``make dev`` and resolve them to source lines."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from symbolic.sourcemapcache import SourceMapCache

INLINE_MAP = re.compile(r"^//# sourceMappingURL=data:application/json[^,]*;base64,([A-Za-z0-9+/=]+)", re.MULTILINE)

Event = dict[str, Any]


@dataclass(frozen=True)
class SourceLine:
    """A place in a file of the project; ``line`` counts from 1."""

    file: Path
    line: int

    @property
    def text(self) -> str:
        """The line itself, without indentation."""
        return self.file.read_text("utf-8").splitlines()[self.line - 1].strip()


def error_events(viewer_url: str) -> list[Event]:
    """Return the error events that the viewer holds, oldest first.

    The viewer replays its memory to a new listener and then stays silent, so reading ends with a read timeout.
    """
    events: list[Event] = []
    try:
        with httpx.stream("GET", f"{viewer_url}/stream", timeout=1) as response:
            for line in response.iter_lines():
                if line.startswith("data:"):
                    _, items = json.loads(line.removeprefix("data:"))
                    events += [payload for header, payload in items if header["type"] == "event"]
    except httpx.ReadTimeout:
        pass
    return [event for event in events if "exception" in event]


def source_line(event: Event, project: Path) -> SourceLine | None:
    """Return the line of the project that raised the event, or nothing when no frame leads into it."""
    frames = event["exception"]["values"][-1].get("stacktrace", {}).get("frames", [])
    resolve = _python_line if event["platform"] == "python" else _browser_line
    return next(_own_lines(resolve(frame, project) for frame in reversed(frames)), None)


def _own_lines(lines: Iterator[SourceLine | None]) -> Iterator[SourceLine]:
    """Keep what exists on disk and belongs to the project rather than to a library."""
    for found in lines:
        if found and found.file.is_file() and not {"node_modules", ".venv"} & set(found.file.parts):
            yield found


def _python_line(frame: Event, project: Path) -> SourceLine | None:
    if not frame.get("in_app") or "filename" not in frame:
        return None
    return SourceLine(project / "backend" / frame["filename"], frame["lineno"])


def _browser_line(frame: Event, project: Path) -> SourceLine | None:
    """Resolve a frame of a module that the development server transformed and gave an inline source map."""
    address = frame.get("abs_path") or frame.get("filename", "")
    if not address.startswith("http") or "/src/" not in address:
        return None
    module = httpx.get(address, timeout=10)
    inline = INLINE_MAP.search(module.text)
    if inline is None:
        return None
    cache = SourceMapCache.from_bytes(module.content, base64.b64decode(inline.group(1)))
    token = cache.lookup(frame["lineno"], frame["colno"], 0)
    if token is None:
        return None
    return SourceLine(project / "frontend" / urlsplit(address).path.lstrip("/"), token.line)
