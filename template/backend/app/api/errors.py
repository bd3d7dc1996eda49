"""Every error as problem JSON (RFC 9457), with the ids under which Sentry knows it."""

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.status import WS_1008_POLICY_VIOLATION, WS_1011_INTERNAL_ERROR
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from app.core import sentry
from app.core.config import Settings
from app.core.exceptions import AppError, AuthenticationError

MEDIA_TYPE = "application/problem+json"
SERVER_ERROR = HTTPStatus.INTERNAL_SERVER_ERROR
UNEXPECTED = "Something went wrong on our side."

# Messages of these kinds may repeat what the caller sent.
_ECHOING = frozenset({"union_tag_invalid", "value_error", "assertion_error"})

logger = logging.getLogger(__name__)


class InvalidField(BaseModel):
    """A part of the request that is wrong. It never repeats the value that was sent."""

    field: str = Field(description="Where it is, for example `query.seconds`.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """What every error of this API answers with."""

    type: str = Field(description="The kind of problem; `about:blank` means that the status says it all.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What happened, for people.")
    instance: str = Field(description="The path of the request, without its query.")
    event_id: str | None = Field(description="The id of the Sentry event about this error, if there is one.")
    trace_id: str | None = Field(description="The id of the Sentry trace this request belongs to, if Sentry is on.")
    errors: list[InvalidField] = Field(description="The invalid parts of the request, for status 422.")


def problem_response(
    request: Request,
    status: int,
    detail: str,
    *,
    error: Exception | None = None,
    handled: bool = True,
    errors: Sequence[InvalidField] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Answer with a problem, and report ``error`` when the status says that the fault is ours.

    Use it in exception handlers of your own too: one that answers 5xx without it reports nothing.

    Args:
        request: What is answered.
        status: The HTTP status.
        detail: What happened, for the caller.
        error: The reason, reported from status 500 on.
        handled: False counts the error as a crash.
        errors: The invalid parts of the request.
        headers: Headers of the answer.
    """
    event_id = None
    if error is not None and status >= SERVER_ERROR:
        event_id = sentry.capture_exception(error) if handled else sentry.capture_unhandled(error)
    problem = Problem(
        type="about:blank",
        title=_phrase(status),
        status=status,
        detail=detail,
        instance=request.url.path,
        event_id=event_id,
        trace_id=sentry.current_trace_id(),
        errors=list(errors),
    )
    if status >= SERVER_ERROR:
        ids = f"event_id={problem.event_id}, trace_id={problem.trace_id}"
        logger.warning("%s %s answered %s | %s", _method(request.scope), problem.instance, status, ids)
    return JSONResponse(problem.model_dump(), status, dict(headers or {}), MEDIA_TYPE)


async def _answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 the registration below says so
    # FastAPI's own exception class accepts anything as detail.
    detail: object = error.detail
    text = detail if isinstance(detail, str) else _phrase(error.status_code)
    return problem_response(request, error.status_code, text, error=error, headers=error.headers)


async def _answer_app_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AppError)  # noqa: S101 the registration below says so
    if isinstance(error, AuthenticationError):
        sentry.record_auth_error(error.reason)
    return problem_response(request, error.status_code, error.detail, error=error, headers=error.headers)


async def _answer_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 the registration below says so
    errors = [InvalidField(field=".".join(map(str, fault["loc"])), message=_message(fault)) for fault in error.errors()]
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    settings: Settings = request.app.state.settings
    if settings.sentry.report_validation_errors:
        sentry.capture_exception(error, priority="medium")
    return problem_response(request, status, "The request is not valid.", errors=errors)


async def _answer_unhandled(request: Request, error: Exception) -> JSONResponse:
    return problem_response(request, SERVER_ERROR, UNEXPECTED, error=error, handled=False)


async def serve(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    unwatched_paths: Collection[str],
    with_bodies: bool,
) -> None:
    """Serve a request with ``app``, and report an answer of 5xx that nothing else reported.

    Args:
        app: What answers, with the SDK's own middleware inside.
        scope: As in ASGI, and so the next two.
        receive: Receives messages.
        send: Sends messages.
        unwatched_paths: Paths that may answer 5xx without an event, such as a readiness check.
        with_bodies: Whether errors may carry what the application has read of the request's body.
    """
    if scope["type"] == "lifespan" or not sentry.is_on():
        await app(scope, receive, send)
        return
    request = sentry.begin_request(scope)

    async def send_watched(message: Message) -> None:
        request.refused |= message["type"] == "websocket.http.response.start"
        # A WebSocket that is refused gets an answer as well.
        failed = message["type"].endswith("http.response.start") and message["status"] >= SERVER_ERROR
        if failed and not request.reported and sentry.path_of(scope) not in unwatched_paths:
            where = f"{_method(scope)} {request.route or 'without a route'}"
            sentry.capture_message(f"{where} answered {message['status']} without an error", "error")
        await send(message)

    async def receive_noted() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            request.note_body(message.get("body", b""))
        return message

    await app(scope, receive_noted if with_bodies else receive, send_watched)


def reporting(handler: ExceptionHandler) -> ExceptionHandler:
    """Return an exception handler that also reports an error which it answers with 5xx."""

    async def answer(connection: Any, error: Exception) -> Any:  # noqa: ANN401 a request or a WebSocket
        if iscoroutinefunction(handler):
            response = await handler(connection, error)
        else:
            response = await run_in_threadpool(handler, connection, error)
        if isawaitable(response):
            # The handler is an object whose call is a coroutine.
            response = await response
        if response is None:
            return None
        failed = response.status_code >= SERVER_ERROR
        if failed:
            sentry.capture_exception(error)
        if isinstance(connection, WebSocket) and connection.application_state is not WebSocketState.CONNECTING:
            # Too late for an answer with a status.
            await _hang_up(connection, WS_1011_INTERNAL_ERROR if failed else WS_1008_POLICY_VIOLATION)
            return None
        return response

    return answer


async def _hang_up(connection: WebSocket, code: int) -> None:
    if connection.application_state is WebSocketState.CONNECTED:
        # The other side may have left.
        with suppress(WebSocketDisconnect):
            await connection.close(code)


def _method(scope: Scope) -> str:
    return str(scope.get("method", "WebSocket"))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _message(fault: Mapping[str, Any]) -> str:
    return "The value is not valid." if fault["type"] in _ECHOING else str(fault["msg"])


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of ``app`` a problem."""
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(AppError, _answer_app_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(Exception, _answer_unhandled)


def describe_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Give the problems in an OpenAPI document their own media type, which FastAPI cannot be told per response."""
    for path in document["paths"].values():
        for operation in path.values():
            content = operation["responses"]["default"]["content"]
            content[MEDIA_TYPE] = content.pop("application/json")
    return document
