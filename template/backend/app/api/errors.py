"""Every error as problem JSON (RFC 9457), with the ids under which Sentry knows it."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from app.core import sentry
from app.core.exceptions import AppError

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
        logger.warning("%s %s answered %s | %s", request.method, problem.instance, status, ids)
    return JSONResponse(problem.model_dump(), status, dict(headers or {}), MEDIA_TYPE)


async def _answer_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 the registration below says so
    # FastAPI's own exception class accepts anything as detail.
    detail: object = error.detail
    text = detail if isinstance(detail, str) else _phrase(error.status_code)
    return problem_response(request, error.status_code, text, error=error, headers=error.headers)


async def _answer_app_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AppError)  # noqa: S101 the registration below says so
    return problem_response(request, error.status_code, error.detail, error=error)


async def _answer_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 the registration below says so
    errors = [InvalidField(field=".".join(map(str, fault["loc"])), message=_message(fault)) for fault in error.errors()]
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return problem_response(request, status, "The request is not valid.", errors=errors)


async def _answer_unhandled(request: Request, error: Exception) -> JSONResponse:
    return problem_response(request, SERVER_ERROR, UNEXPECTED, error=error, handled=False)


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
