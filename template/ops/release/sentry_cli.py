"""Call ``sentry-cli``, tell a refusal from an outage, and try again after the latter.

It ends with 1 after both, so only its words tell them apart. It has retries of its own, for some answers and without a
word; they are switched off for those of this module. https://docs.sentry.io/cli/configuration/
"""

import os
import re
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

from ops.release import ROOT, OutageError, ReleaseError, report

WAITS_SECONDS = (1, 3, 9)
"""Before the second, third and fourth try."""

PATIENCE_SECONDS = 120
"""What one try may take, and after which no other begins, unless ``SENTRY_PATIENCE`` says otherwise."""

STATUS = re.compile(r"\(http status: (\d{3})\)")
CURL = re.compile(r"\[(\d+)\] ")

# Name or host not found, cut or timed out while connecting, sending, receiving: https://curl.se/libcurl/c/libcurl-errors.html
NETWORK_ERRORS = frozenset({5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92})
REQUEST_TIMEOUT = 408
TOO_MANY_REQUESTS = 429
SERVER_ERRORS = 500

LABEL = re.compile(r"^(\d+|error): ")
"""What stands before the first, or before each of several causes."""

# Hints for those who run it by hand, and its headings.
NOISE = re.compile(r"^(Add --log-level|Please attach|Caused by:$|API request failed$)")
SHOWN_LINES = 4

# Level, date, time, zone.
WARNING = re.compile(r"^ *WARN +\S+ \S+ \S+ (.+)$", re.MULTILINE)


def call(does: str, *arguments: str, variables: dict[str, str]) -> str:
    """Run ``sentry-cli`` with variables of its own, and return what it prints.

    Args:
        does: what the call is for, as the subject of a sentence.
        arguments: of ``sentry-cli``.
        variables: added to its environment.

    Raises:
        ReleaseError: Sentry refused it, or something failed for another reason that stays.
        OutageError: Sentry could not be reached, or was broken, at each try.
    """
    limit = patience()
    end = time.monotonic() + limit
    for wait in (*WAITS_SECONDS, None):
        problem = ""
        try:
            result = _run(arguments, variables, limit=limit)
        except subprocess.TimeoutExpired:
            problem = f"No answer within {limit:g} s"
        else:
            for text in WARNING.findall(result.stderr):
                _warn(text)
            if result.returncode == 0:
                return result.stdout
            said = _said(result.stderr) or _said(result.stdout)
            problem = _shown(said)
            if not _is_outage(" ".join(said)):
                raise ReleaseError(f"{does}: refused. {problem}{_advice(problem)}")
        if wait is None or time.monotonic() + wait >= end:
            break
        report.notice(f"{does}: {problem}; next try in {wait} s")
        time.sleep(wait)
    raise OutageError(f"{does}: Sentry could not be reached at {variables['SENTRY_URL']}. {problem}")


def patience() -> float:
    """Return ``SENTRY_PATIENCE``, or its default.

    Raises:
        ReleaseError: it is no number of seconds.
    """
    text = os.environ.get("SENTRY_PATIENCE") or str(PATIENCE_SECONDS)
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text, re.ASCII):
        raise ReleaseError("SENTRY_PATIENCE: not a number of seconds between 1 and 9999")
    return float(text)


def _run(arguments: tuple[str, ...], variables: dict[str, str], *, limit: float) -> "subprocess.CompletedProcess[str]":
    # With SENTRY_ALLOW_FAILURE it would end with 0 whatever happened.
    inherited = {name: value for name, value in os.environ.items() if name != "SENTRY_ALLOW_FAILURE"}
    own = {
        "RUST_BACKTRACE": "0",
        "SENTRY_DISABLE_UPDATE_CHECK": "1",
        "SENTRY_HTTP_MAX_RETRIES": "0",
        "SENTRY_LOAD_DOTENV": "0",
        "SENTRY_LOG_LEVEL": "error",
        "SENTRY_NO_PROGRESS_BAR": "1",
    }
    return subprocess.run(
        [_program(), *arguments],
        cwd=ROOT,
        env={**inherited, **own, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )


def _program() -> str:
    """Return the path of ``sentry-cli`` itself, not of the script by which npm's package starts it.

    That script ends with 0 when ``sentry-cli`` was killed, as where memory is short, and leaves it running when it is
    killed itself.
    """
    folders = f"{ROOT / 'frontend/node_modules/.bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    found = shutil.which("sentry-cli", path=folders)
    if not found:
        raise ReleaseError("sentry-cli: not found, neither in frontend/node_modules nor on PATH. Run: make setup")
    # The script is @sentry/cli/bin/sentry-cli; beside it is the package for this kind of machine, usually alone.
    programs = [*Path(found).resolve().parent.parent.parent.glob("cli-*/bin/sentry-cli")]
    return str(programs[0]) if len(programs) == 1 else found


def _is_outage(problem: str) -> bool:
    if status := STATUS.search(problem):
        number = int(status.group(1))
        return number >= SERVER_ERRORS or number in {REQUEST_TIMEOUT, TOO_MANY_REQUESTS}
    return any(int(number) in NETWORK_ERRORS for number in CURL.findall(problem))


@cache
def _warn(text: str) -> None:
    """Pass a warning on, once: such as that the token names another server, which is asked instead."""
    report.warning(_without_token(f"sentry-cli: {text}"))


def _said(text: str) -> list[str]:
    """Return the lines that say what failed."""
    lines = [LABEL.sub("", line.strip()) for line in WARNING.sub("", text).splitlines()]
    return [line for line in lines if line and not NOISE.match(line)]


def _shown(said: list[str]) -> str:
    return _without_token(" ".join(said[:SHOWN_LINES]) or "sentry-cli failed and did not say why")


def _without_token(shown: str) -> str:
    token = os.environ.get("SENTRY_AUTH_TOKEN", "")
    return shown.replace(token, "[token]") if token else shown


def _advice(problem: str) -> str:
    status = STATUS.search(problem)
    # Which of them was not found it says without the number.
    reason = status.group(1) if status else "404" if "not found" in problem else ""
    return {
        "401": ". SENTRY_AUTH_TOKEN is not valid there: make a new one, an organization token with the scope org:ci",
        "403": ". SENTRY_AUTH_TOKEN lacks a permission: use an organization token with the scope org:ci",
        "404": ". Compare SENTRY_URL, SENTRY_ORG and SENTRY_PROJECT, or contracts/project.json, with what is in Sentry",
    }.get(reason, "")
