"""The application's expected errors: raise one anywhere, and the API answers with problem JSON."""

from http import HTTPStatus


class AppError(Exception):
    """An error with an answer: subclass it and choose the status.

    A status below 500 is the caller's mistake and is not reported. From 500 on it is ours and is reported.

    Args:
        detail: What the caller may read; never put a secret or somebody's data into it.
    """

    status_code: HTTPStatus = HTTPStatus.BAD_REQUEST

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFoundError(AppError):
    """The thing asked for does not exist."""

    status_code = HTTPStatus.NOT_FOUND


class ConflictError(AppError):
    """The request does not fit the present state of the thing."""

    status_code = HTTPStatus.CONFLICT


class UnavailableError(AppError):
    """Something this application depends on does not answer."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
