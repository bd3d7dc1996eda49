"""Settings of jobs."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict
from redis.asyncio import ConnectionPool

from app.core.config import BaseAppSettings

_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


def _url(value: object) -> str:
    text = str(value).strip()
    try:
        # Options in the query are read here too, so that a bad one does not wait for the first job.
        pool = ConnectionPool.from_url(text)
        pool.connection_class(**pool.connection_kwargs)
    except Exception:  # noqa: BLE001 whatever the library stumbles over; its text would repeat the password
        raise ValueError("the value is not an address like redis://:password@host:6379/0 or rediss://…") from None
    return text


def _modules(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    if not all(map(_MODULE.fullmatch, names)):
        raise ValueError("the value is not a list of modules like app.api.reports,app.api.invoices")
    return names


class JobsSettings(BaseAppSettings):
    """Where jobs wait, and how they run."""

    model_config = SettingsConfigDict(env_prefix="JOBS_")

    broker_url: Annotated[SecretStr, BeforeValidator(_url)] | None = None
    """``JOBS_BROKER_URL``: ``redis://`` or, with TLS, ``rediss://``. Without it jobs and schedules run inside the API's
    process, which is meant for development: they end with it. Never shown."""

    modules: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_modules)] = ("app.extensions.jobs.examples",)
    """``JOBS_MODULES``: the modules, separated by commas, that define jobs. API, worker and scheduler import them."""

    concurrency: Annotated[int, Field(ge=1, le=1000)] = 10
    """``JOBS_CONCURRENCY``: how many jobs one worker runs at a time."""

    stop_seconds: Annotated[float, Field(ge=0, le=3600)] = 10
    """``JOBS_STOP_SECONDS``: how long a worker that is told to stop lets its jobs run, in seconds; what is not ready
    then goes back into the queue."""
