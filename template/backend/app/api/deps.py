"""What routes ask for. Coroutines, because FastAPI runs plain functions in a thread."""

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from app.core import sentry
from app.core.config import Settings


async def get_settings(request: Request) -> Settings:
    """Return the settings that the application was created with."""
    settings: Settings = request.app.state.settings
    return settings


async def get_release(request: Request) -> str:
    """Return the release that the application was created with."""
    release: str = request.app.state.release
    return release


CurrentSettings = Annotated[Settings, Depends(get_settings)]
CurrentRelease = Annotated[str, Depends(get_release)]


async def require_diagnostics(request: Request, settings: CurrentSettings) -> None:
    """Let a request to a diagnostics route pass, or act as if the route did not exist.

    Raises:
        HTTPException: 404, in production without the right bearer token.
    """
    if settings.diagnostics_open:
        return
    token = settings.sentry.diagnostics_token
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if token is None or scheme.lower() != "bearer":
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if not _same(credential, token.get_secret_value()):
        sentry.record_auth_error("diagnostics_token")
        raise HTTPException(HTTPStatus.NOT_FOUND)


def _same(left: str, right: str) -> bool:
    """Compare in constant time; as bytes, because text may hold any character."""
    return secrets.compare_digest(left.encode(), right.encode())
