"""Every error is counted once, with Sentry and without."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from app.core.exceptions import NotFoundError, UnavailableError
from app.core.sentry import capture_exception, capture_message, configure_sentry
from app.core.sentry.errors import MAX_TYPES, ErrorCounts, counting_logs, errors
from tests.support import RELEASE, LoadSettings, MakeApp, StartSentry

logger = logging.getLogger("tests.errors")


class ExpectedError(UnavailableError):
    expected = True


@pytest.fixture(params=["on", "off"])
def either(request: pytest.FixtureRequest, start_sentry: StartSentry) -> str:
    """Run a test with Sentry, and once more without."""
    if request.param == "on":
        start_sentry()
    return str(request.param)


def raising(error: Exception) -> APIRouter:
    router = APIRouter()

    @router.get("/raise")
    async def route() -> None:
        raise error

    return router


def get(app: FastAPI, path: str = "/raise") -> int:
    with TestClient(app, raise_server_exceptions=False) as caller:
        return caller.get(path).status_code


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    ("make", "status", "counts"),
    [
        (lambda: ValueError("x"), 500, {("ValueError", False): 1}),
        (lambda: UnavailableError("x"), 503, {("UnavailableError", True): 1}),
        (lambda: HTTPException(502), 502, {("HTTPException", True): 1}),
        (lambda: HTTPException(404), 404, {}),
        (lambda: NotFoundError("x"), 404, {}),
        (lambda: ExpectedError("x"), 503, {}),
    ],
)
def test_what_is_reported_is_counted_and_nothing_else(
    make_app: MakeApp, make: Callable[[], Exception], status: int, counts: dict[tuple[str, bool], int]
) -> None:
    assert get(make_app(raising(make()))) == status
    assert errors.report() == counts


@pytest.mark.usefixtures("either")
def test_an_error_that_is_caught_reported_logged_and_raised_counts_once(make_app: MakeApp) -> None:
    router = APIRouter()

    @router.get("/raise")
    async def route() -> None:
        try:
            raise KeyError("x")
        except KeyError as error:
            capture_exception(error)
            logger.exception("It failed")
            raise

    with counting_logs():
        assert get(make_app(router)) == 500
    assert errors.report() == {("KeyError", True): 1}


@pytest.mark.usefixtures("either")
def test_logged_errors_count_with_and_without_an_exception() -> None:
    with counting_logs():
        logger.error("No exception")
        logger.warning("No error")
        try:
            raise OSError("x")
        except OSError:
            logger.exception("Caught")
            logger.exception("Caught, logged again")
    logger.error("Nobody counts any more")
    assert errors.report() == {("message", True): 1, ("OSError", True): 1}


def test_what_a_server_logs_was_handled_by_nobody_and_its_echo_is_no_error() -> None:
    server = logging.getLogger("uvicorn.error")
    with counting_logs():
        server.error("Traceback (most recent call last):\n  boom")
        try:
            raise RuntimeError("x")
        except RuntimeError:
            server.exception("Exception in ASGI application")
        logging.getLogger("sentry_sdk.errors").error("The delivery of another error failed")
    assert errors.report() == {("RuntimeError", False): 1}


def test_a_task_that_nobody_awaits_counts_as_unhandled() -> None:
    async def fail() -> None:
        raise LookupError("x")

    async def main() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])
        del task

    with counting_logs():
        asyncio.run(main())
    assert errors.report() == {("LookupError", False): 1}


@pytest.mark.parametrize("sentry", ["on", "off"])
def test_what_an_extension_expects_is_no_error(start_sentry: StartSentry, load: LoadSettings, sentry: str) -> None:
    expected = [lambda error: isinstance(error, ConnectionError)]
    if sentry == "on":
        start_sentry(options={"expected": expected})
    else:
        configure_sentry(load(), RELEASE, expected=expected)
    with counting_logs():
        for error in (ConnectionResetError("x"), ValueError("x")):
            logging.getLogger("asyncio").error("Nobody awaited it", exc_info=error)
    assert errors.report() == {("ValueError", False): 1}


@pytest.mark.usefixtures("either")
def test_messages_count_from_level_error_on() -> None:
    capture_message("info")
    capture_message("error", "error")
    capture_message("critical", priority="critical")
    capture_message("low", "error", priority="low")
    assert errors.report() == {("message", True): 2}


def test_an_error_of_another_request_counts_again(start_sentry: StartSentry, make_app: MakeApp) -> None:
    start_sentry()
    app = make_app(raising(ValueError("kept and raised again")))
    assert [get(app), get(app)] == [500, 500]
    assert errors.report() == {("ValueError", False): 2}


def test_an_error_that_is_built_in_a_strange_way_counts_all_the_same() -> None:
    error = NotFoundError("x")
    error.status_code = None  # type: ignore[assignment]
    capture_exception(error)
    capture_exception("no exception at all")  # type: ignore[arg-type]
    capture_message("x", ["no level"], priority={})  # type: ignore[arg-type]
    assert errors.report() == {("NotFoundError", True): 1, ("str", True): 1}


def test_the_number_of_types_is_bounded() -> None:
    counts = ErrorCounts()
    for number in range(MAX_TYPES + 10):
        counts.count(type(f"Error{number}", (Exception,), {})(), handled=True)
    assert len(counts.report()) == MAX_TYPES + 1
    assert counts.report()["other", True] == 10
