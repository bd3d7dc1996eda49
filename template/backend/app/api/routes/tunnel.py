"""The tunnel: the page sends its events to its own API, which passes them on, because blockers know Sentry's hosts.

Anybody can call it, so it is narrow: the page's own origin, one project, bounded sizes, rates and times. A refusal is a
status without a body, because the SDK in the browser reads statuses and rate limits only and an unread body would take
from Chromium's small budget for requests that outlive a page:

==== ==========================================================================================
400  the body is no envelope, or ended early
403  a foreign origin, or an envelope for another DSN
404  the tunnel is off: no ``VITE_SENTRY_DSN``, or ``SENTRY_TUNNEL`` is false
408  the body came too slowly
413  the body is too large
415  a content type or an encoding that no envelope of ours has
429  this client sends too much, or Sentry says so; ``Retry-After``
502  Sentry cannot be reached, or answers with a redirect
503  too many envelopes are on their way; ``Retry-After``
504  Sentry takes too long
==== ==========================================================================================

Other statuses are Sentry's own. The visitor's address, cookies and headers are not passed on.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from app.api.errors import Problem
from app.core.config import Settings
from app.core.origins import is_own_origin
from app.core.sentry.tunnel import MAX_ENVELOPE_BYTES, Answer, BadEnvelopeError, Tunnel, read_dsn

PATHS = ("/api/v1/tunnel",)

READ_SECONDS = 10.0
"""How long a browser may take to send an envelope, in seconds."""

_BUSY_SECONDS = "5"
_LONGEST_NUMBER = 20
# What the SDK's fetch sends, what an envelope is called, and what bytes without a name are.
_CONTENT_TYPES = frozenset({"", "text/plain", "application/x-sentry-envelope"})
_ENCODINGS = {"": False, "identity": False, "gzip": True}
_ENVELOPE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"description": "No envelope"},
    403: {"description": "Another origin or another DSN"},
    404: {"description": "The tunnel is off"},
    408: {"description": "Too slow"},
    413: {"description": "Too large"},
    415: {"description": "A content type or an encoding that no envelope has"},
    429: {"description": "Too many; see Retry-After and X-Sentry-Rate-Limits"},
    502: {"description": "Sentry cannot be reached"},
    503: {"description": "Too busy; see Retry-After"},
    504: {"description": "Sentry takes too long"},
    "default": {"model": Problem, "description": "A problem"},
}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    dsn = settings.tunnel.dsn
    app.state.tunnel = Tunnel(dsn.get_secret_value()) if dsn and settings.tunnel_open else None
    yield
    if app.state.tunnel:
        await app.state.tunnel.aclose()


router = APIRouter(tags=["tunnel"], lifespan=_lifespan)


@router.post(
    "/tunnel",
    response_class=Response,
    responses=_ANSWERS,
    response_description="Sentry has it",
    openapi_extra={"requestBody": {"required": True, "content": {"application/x-sentry-envelope": _ENVELOPE}}},
)
async def tunnel(request: Request) -> Response:
    """Pass an envelope of the page on to Sentry."""
    way: Tunnel | None = getattr(request.app.state, "tunnel", None)
    if way is None:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    origin = request.headers.get("origin", "")
    is_foreign = origin in request.app.state.settings.sentry.tunnel_origins
    if is_foreign or is_own_origin(origin, request.headers.get("host", "")):
        answer = await _pass_on(request, way)
    else:
        answer = Answer(HTTPStatus.FORBIDDEN)
    way.answers[answer.status] += 1
    return Response(status_code=answer.status, headers={**answer.headers, **(_sharing(origin) if is_foreign else {})})


async def _pass_on(request: Request, way: Tunnel) -> Answer:
    address = request.client.host if request.client else ""
    if seconds := way.clients.wait_for(address):
        return Answer(HTTPStatus.TOO_MANY_REQUESTS, {"retry-after": str(seconds)})
    gzipped = _ENCODINGS.get(request.headers.get("content-encoding", "").strip().lower())
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if gzipped is None or content_type not in _CONTENT_TYPES:
        return Answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    with way.slot(address) as is_free:
        if not is_free:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": _BUSY_SECONDS})
        envelope = await _read(request)
        if isinstance(envelope, HTTPStatus):
            return Answer(envelope)
        try:
            is_ours = way.accepts(read_dsn(envelope, gzipped=gzipped))
        except BadEnvelopeError:
            return Answer(HTTPStatus.BAD_REQUEST)
        return await way.forward(envelope, gzipped=gzipped) if is_ours else Answer(HTTPStatus.FORBIDDEN)


async def _read(request: Request) -> bytes | HTTPStatus:
    """Return the body, or why there is none. What a header says about its length may be wrong; what comes counts."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or len(announced) > _LONGEST_NUMBER or int(announced) > MAX_ENVELOPE_BYTES:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                if len(body) + len(chunk) > MAX_ENVELOPE_BYTES:
                    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                body += chunk
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT
    except ClientDisconnect:
        return HTTPStatus.BAD_REQUEST
    return bytes(body)


def _sharing(origin: str) -> Mapping[str, str]:
    """Return the headers with which a page of another origin may read the answer."""
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "Retry-After, X-Sentry-Rate-Limits",
        "vary": "Origin",
    }
