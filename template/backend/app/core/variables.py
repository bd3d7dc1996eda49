"""What a variable may hold. Each type turns text into a value, or says in one line what is wrong with it."""

import re
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from app.core.contracts import ROOT, Access, EnvironmentName

MINIMUM_TOKEN_LENGTH = 16
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

MOST_BREADCRUMBS = 500

_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_SHOWABLE = re.compile(r"[A-Za-z0-9_.,+-]{1,20}")
_KEY = re.compile(r"[A-Za-z0-9_]+")
_NUMBER = re.compile(r"[0-9]{1,20}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ .-]{1,63}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?")
_ORIGIN = re.compile(rf"https?://{_HOST.pattern}")
# https://docs.sentry.io/product/releases/naming-releases/ forbids more; this is what our own script makes.
_RELEASE = re.compile(r"[A-Za-z0-9._+@-]{1,200}")


def _shown(text: str) -> str:
    """Return the value for a message, unless it looks unlike a setting: it may be a misplaced secret."""
    return text if _SHOWABLE.fullmatch(text) else "the value"


def _rate(value: object) -> float:
    text = str(value)
    try:
        number = float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        number = None
    if number is None:
        raise ValueError(f"{_shown(text)} is not a number between 0 and 1")
    if not 0 <= number <= 1:
        raise ValueError(f"{_shown(text)} is not between 0 and 1")
    return number


def _switch(value: object) -> bool:
    answer = _SWITCH.get(str(value).strip().lower())
    if answer is None:
        raise ValueError(f"{_shown(str(value))} is not true or false")
    return answer


def _environment(value: object) -> str:
    names = get_args(EnvironmentName)
    if value not in names:
        raise ValueError(f"{_shown(str(value))} is not one of {', '.join(names)}")
    return str(value)


def _from_root(folder: Path) -> Path:
    return ROOT / folder


def _log_level(value: object) -> str:
    name = str(value).upper()
    if name not in LOG_LEVELS:
        raise ValueError(f"{_shown(str(value))} is not one of {', '.join(LOG_LEVELS)}")
    return name


def _dsn(value: object) -> str:
    text = str(value).strip()
    if not _is_dsn(text):
        raise ValueError("the value is not a DSN, which looks like https://<key>@<host>/<project number>")
    return text


def _is_dsn(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    project = parts.path.rpartition("/")[2]
    is_complete = _KEY.fullmatch(parts.username or "") and project.isascii() and project.isdecimal()
    # Line breaks in the middle are dropped on splitting.
    return is_address and bool(is_complete) and text.isprintable() and not (parts.query or parts.fragment)


def _access(value: object) -> str:
    if value not in get_args(Access):
        raise ValueError(f"{_shown(str(value))} is not open or closed")
    return str(value)


def _breadcrumbs(value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdecimal()) or int(text) > MOST_BREADCRUMBS:
        raise ValueError(f"{_shown(text)} is not a whole number from 0 to {MOST_BREADCRUMBS}")
    return int(text)


def whole_number(least: int, most: int) -> BeforeValidator:
    """Return what makes ``Annotated[int, …]`` take the whole numbers from ``least`` to ``most``, in digits."""

    def read(value: object) -> int:
        text = str(value)
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise ValueError(f"{_shown(text)} is not a whole number from {least} to {most}")
        return int(text)

    return BeforeValidator(read)


def _organization(value: object) -> str:
    text = str(value)
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{_shown(text)} is not the number of an organization in Sentry")
    return text


def _release(value: object) -> str:
    text = str(value)
    if not _RELEASE.fullmatch(text):
        raise ValueError(f"{_shown(text)} is not a release: up to 200 letters, digits and . _ + @ -")
    return text


def _token(value: object) -> str:
    text = str(value).strip()
    if len(text) < MINIMUM_TOKEN_LENGTH:
        raise ValueError(f"the value is shorter than {MINIMUM_TOKEN_LENGTH} characters")
    if not (text.isascii() and text.isprintable()):
        raise ValueError("the value has characters that no header can carry")
    return text


def _hosts(value: object) -> object:
    return _list(value, _HOST, "a host name like api.example.com or localhost:8001")


def _keys(value: object) -> object:
    return _list(value, _NAME, "a name like customer_number")


def _list(value: object, pattern: re.Pattern[str], kind: str) -> object:
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    for part in parts:
        if not pattern.fullmatch(part):
            raise ValueError(f"{_shown(part)} is not {kind}")
    return tuple(parts)


def _origins(value: object) -> object:
    if not isinstance(value, str):
        return value
    origins = [part.strip().lower() for part in value.split(",") if part.strip()]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{_shown(origin)} is not an origin like https://app.example.com")
    # Browsers leave the usual port out.
    return tuple(origin.removesuffix(":443" if origin.startswith("https:") else ":80") for origin in origins)


Environment = Annotated[EnvironmentName, BeforeValidator(_environment)]
"""One of the rows of ``contracts/environments.json``."""

Folder = Annotated[Path, AfterValidator(_from_root)]
"""A folder; a path that is not absolute begins at the repository root."""

LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_log_level)]
"""A level of the standard library, in any case."""

Rate = Annotated[float, BeforeValidator(_rate)]
"""A share between 0 and 1."""

Switch = Annotated[bool, BeforeValidator(_switch)]
"""true or false, yes or no, on or off, 1 or 0."""

Dsn = Annotated[SecretStr, BeforeValidator(_dsn)]
"""The address of a Sentry project. Never shown."""

Release = Annotated[str, BeforeValidator(_release)]
"""The name of a build."""

Token = Annotated[SecretStr, BeforeValidator(_token)]
"""A shared secret of some length. Never shown."""

DiagnosticsAccess = Annotated[Access, BeforeValidator(_access)]
"""open or closed."""

Breadcrumbs = Annotated[int, BeforeValidator(_breadcrumbs)]
"""How many breadcrumbs an event carries."""

OrganizationId = Annotated[str, BeforeValidator(_organization)]
"""The number of an organization in Sentry."""

Keys = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_keys)]
"""Names of fields, separated by commas."""

Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_hosts)]
"""Host names with or without port, separated by commas."""

Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)]
"""Origins as browsers name them, scheme and host with or without port, separated by commas."""
