"""The variables of the object storage."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.config import BaseAppSettings
from app.core.variables import DiagnosticsAccess

LONGEST_TIMEOUT = 300.0

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_KEY_ID = re.compile(r"[A-Za-z0-9._~/+=:-]{3,128}")


def _bucket(value: object) -> str:
    if not _BUCKET.fullmatch(str(value)):
        raise ValueError("the value is not a bucket's name: 3 to 63 of a-z, 0-9, hyphens and dots")
    return str(value)


def _endpoint(value: object) -> str:
    text = str(value).strip().removesuffix("/")
    try:
        parts = urlsplit(text)
        is_server = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_server = False
    if not is_server or text != f"{parts.scheme}://{parts.netloc}" or "@" in text or not text.isprintable():
        raise ValueError("the value is not the address of a server like https://s3.example.com, without a path")
    return text


def _region(value: object) -> str:
    if not _REGION.fullmatch(str(value)):
        raise ValueError("the value is not a region like eu-central-1")
    return str(value)


def _key_id(value: object) -> str:
    if not _KEY_ID.fullmatch(str(value)):
        raise ValueError("the value is not the id of an access key")
    return str(value)


def _secret_key(value: object) -> str:
    text = str(value)
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("the value has characters that no access key has")
    return text


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise ValueError(f"the value is not a number of seconds above 0 and up to {LONGEST_TIMEOUT:g}")
    return seconds


Seconds = Annotated[float, BeforeValidator(_seconds)]


class StorageSettings(BaseAppSettings):
    """Where files are kept. Without a bucket there is no storage, and what needs it answers 503."""

    model_config = SettingsConfigDict(env_prefix="STORAGE_")

    bucket: Annotated[str, BeforeValidator(_bucket)] | None = None
    """``STORAGE_BUCKET``: the bucket. It has to exist. Empty means: not configured."""

    endpoint_url: Annotated[str, BeforeValidator(_endpoint)] | None = None
    """``STORAGE_ENDPOINT_URL``: the server, for any other than Amazon's."""

    region: Annotated[str, BeforeValidator(_region)] = "us-east-1"
    """``STORAGE_REGION``: the bucket's region; part of each signature."""

    access_key_id: Annotated[SecretStr, BeforeValidator(_key_id)] | None = None
    """``STORAGE_ACCESS_KEY_ID``: who asks. Without it the machine's own role does."""

    secret_access_key: Annotated[SecretStr, BeforeValidator(_secret_key)] | None = Field(
        default=None, validate_default=True
    )
    """``STORAGE_SECRET_ACCESS_KEY``: signs requests and links. Never shown, never logged."""

    connect_timeout: Seconds = 2.0
    """``STORAGE_CONNECT_TIMEOUT``: how many seconds a connection may take. It is tried twice."""

    timeout: Seconds = 20.0
    """``STORAGE_TIMEOUT``: how many seconds the server may be silent, or need for a part of 5 MiB."""

    routes: DiagnosticsAccess | None = None
    """``STORAGE_ROUTES``: ``open`` lets everybody use the example routes, ``closed`` nobody. Default: open in
    development only, because they ask nobody who they are."""

    @field_validator("secret_access_key")
    @classmethod
    def _both_or_none(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 the type is the field's
        """Refuse half a key: the machine's own role would sign instead, which nobody asked for."""
        if "access_key_id" in info.data and (info.data["access_key_id"] is None) != (value is None):
            raise ValueError("STORAGE_ACCESS_KEY_ID and STORAGE_SECRET_ACCESS_KEY need each other")
        return value
