"""Say how it went, to a person and to a pipeline.

GitHub shows ``::error::`` lines beside the code and the summary on the page of the run:
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

import os
import sys
from pathlib import Path


def notice(text: str) -> None:
    """Say something that is worth knowing and needs nobody."""
    _say("notice", text)


def warning(text: str) -> None:
    """Say something that somebody should look at, though the work goes on."""
    _say("warning", text)


def error(text: str) -> None:
    """Say why the work stops."""
    _say("error", text)


def output(name: str, value: str) -> None:
    """Hand a value of one line to later jobs of the pipeline: by GitHub's outputs or by a dotenv report of GitLab."""
    for variable in ("GITHUB_OUTPUT", "DOTENV_REPORT"):
        _append(variable, f"{name}={value}")


def _say(kind: str, text: str) -> None:
    if os.environ.get("GITHUB_ACTIONS") == "true":
        escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        print(f"::{kind}::{escaped}", flush=True)
        _append("GITHUB_STEP_SUMMARY", f"- **{kind}**: {' '.join(text.split())}")
    else:
        print(text, file=sys.stdout if kind == "notice" else sys.stderr, flush=True)


def _append(variable: str, line: str) -> None:
    if name := os.environ.get(variable):
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
