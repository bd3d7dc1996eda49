"""The way to the storage of this process: ``storage()`` from anywhere, once it is configured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

from fastapi import FastAPI

from app.core.config import AppSettings
from app.extensions.storage.client import ObjectStorage
from app.extensions.storage.errors import StorageDownError, StorageNotConfiguredError
from app.extensions.storage.settings import StorageSettings

READINESS_SECONDS = 2.0


@lru_cache(maxsize=1)
def _opened() -> ObjectStorage | None:
    settings = StorageSettings()
    return ObjectStorage(settings) if settings.bucket else None


def storage() -> ObjectStorage:
    """Return the configured storage.

    Raises:
        StorageNotConfiguredError: there is no ``STORAGE_BUCKET``.
    """
    opened = _opened()
    if opened is None:
        raise StorageNotConfiguredError
    return opened


@lru_cache(maxsize=1)
def routes_open() -> bool:
    """Say whether everybody may use the example routes."""
    access = StorageSettings().routes
    return access == "open" if access else AppSettings().environment == "development"


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Read the settings anew, and let go of the connections at the end. Nothing is asked of the server yet."""
    _forget()
    try:
        yield
    finally:
        opened = _opened()
        if opened:
            await opened.aclose()
        _forget()


async def check_readiness() -> None:
    """Ask the bucket, when one is configured.

    Raises:
        AppError: the storage does not answer within ``READINESS_SECONDS``, or refuses.
    """
    opened = _opened()
    if opened is None:
        return
    try:
        async with asyncio.timeout(READINESS_SECONDS):
            await opened.check()
    except TimeoutError:
        raise StorageDownError from None


def _forget() -> None:
    _opened.cache_clear()
    routes_open.cache_clear()
