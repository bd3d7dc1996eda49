"""Settings of the client of AI models."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.config import BaseAppSettings
from app.core.variables import DiagnosticsAccess

LONGEST_SECONDS = 3600
MOST_RETRIES = 10

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,199}")


def _address(value: object) -> str:
    text = str(value).strip()
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    # The value may hold a password, so it is not shown.
    if not is_address or parts.query or parts.fragment or "@" in parts.netloc or not text.isprintable():
        raise ValueError("the value is not an address like https://ai.example.com/v1, without name, query or fragment")
    return text.rstrip("/") + "/"


def _key(value: object) -> str:
    text = str(value).strip()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("the value has characters that no key has")
    return text


def _model(value: object) -> str:
    text = str(value)
    if not _MODEL.fullmatch(text):
        raise ValueError("the value is not the name of a model")
    return text


def _seconds(value: object) -> float:
    text = str(value)
    if not re.fullmatch(r"\d{1,5}(\.\d{1,3})?", text, re.ASCII) or not 0 < float(text) <= LONGEST_SECONDS:
        raise ValueError(f"the value is not a number of seconds above 0 and up to {LONGEST_SECONDS}")
    return float(text)


def _retries(value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdecimal()) or int(text) > MOST_RETRIES:
        raise ValueError(f"the value is not a whole number from 0 to {MOST_RETRIES}")
    return int(text)


Address = Annotated[str, BeforeValidator(_address)]
"""An address that others are put behind; it ends in a slash."""

ApiKey = Annotated[SecretStr, BeforeValidator(_key)]
"""A key of a service. Never shown."""

ModelName = Annotated[str, BeforeValidator(_model)]
"""The name of a model, as the service calls it."""

Seconds = Annotated[float, BeforeValidator(_seconds)]
"""A duration."""

Retries = Annotated[int, BeforeValidator(_retries)]
"""How often something is tried again."""


class AiSettings(BaseAppSettings):
    """Which service answers, and how patient we are. It is configured once it has an address and a model."""

    model_config = SettingsConfigDict(env_prefix="AI_")

    base_url: Address | None = None
    """``AI_BASE_URL``: where the service is, up to what comes before ``/chat/completions``. No default: nobody's words
    go anywhere unless somebody said where."""

    api_key: ApiKey | None = None
    """``AI_API_KEY``: sent as bearer token; a server of your own may need none. Never shown, never logged."""

    model: ModelName | None = None
    """``AI_MODEL``: the model that answers, unless a call names another."""

    transcription_model: ModelName | None = None
    """``AI_TRANSCRIPTION_MODEL``: the model that turns speech into text."""

    timeout_seconds: Seconds = 60.0
    """``AI_TIMEOUT_SECONDS``: how long an answer may take in all, with every retry and to its last word."""

    connect_seconds: Seconds = 5.0
    """``AI_CONNECT_SECONDS``: how long a connection may take."""

    idle_seconds: Seconds = 20.0
    """``AI_IDLE_SECONDS``: how long a stream may pause between two pieces."""

    max_retries: Retries = 2
    """``AI_MAX_RETRIES``: how often a request is tried again that was refused for the moment, 0 to 10."""

    access: DiagnosticsAccess | None = None
    """``AI_ACCESS``: ``open`` lets everybody use the example route, ``closed`` nobody. Default: open in development.
    Each answer costs money, so open it elsewhere only behind an authentication."""
