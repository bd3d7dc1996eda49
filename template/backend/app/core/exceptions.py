"""The application's expected errors: raise one anywhere, and the API answers with problem JSON."""

from collections.abc import Mapping
from http import HTTPStatus


class AppError(Exception):
    """An error with an answer: subclass it and choose the status.

    A status below 500 is the caller's mistake and is not reported. From 500 on it is ours and is reported.

    Args:
        detail: What the caller may read; never put a secret or somebody's data into it.
    """

    status_code: HTTPStatus = HTTPStatus.BAD_REQUEST

    expected: bool = False
    """Whether the application is built to survive it: then it is counted and not reported, whatever the status."""

    headers: Mapping[str, str] = {}
    """Headers of the answer."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFoundError(AppError):
    """The thing asked for does not exist."""

    status_code = HTTPStatus.NOT_FOUND


class AuthenticationError(AppError):
    """Nobody knows who is asking.

    Args:
        detail: What the caller may read.
        reason: One of a few fixed words, such as ``expired``, to count failures by; nothing that the caller sent.
    """

    status_code = HTTPStatus.UNAUTHORIZED
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ConflictError(AppError):
    """The request does not fit the present state of the thing."""

    status_code = HTTPStatus.CONFLICT


class UnavailableError(AppError):
    """Something this application depends on does not answer."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
