"""What can go wrong with a service. No text of a question or an answer is in any of them."""

from collections.abc import Mapping
from http import HTTPStatus

from app.core.exceptions import AppError, UnavailableError


class AiNotConfiguredError(UnavailableError):
    """There is no service: somebody has to name one."""

    expected = True


class AiUnavailableError(UnavailableError):
    """The service does not answer, breaks off, or wants fewer requests: counted and not reported.

    Args:
        detail: What the caller may read.
        retry_after: When to try again, in seconds, if the service said so.
    """

    expected = True

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        if retry_after is not None:
            self.headers: Mapping[str, str] = {"Retry-After": str(max(1, round(retry_after)))}


class AiConfigurationError(UnavailableError):
    """The service refuses what we are or ask for, such as a key or a model: somebody has to correct it.

    Args:
        reason: What it said, in fixed words. Reported, and not told to the caller.

    Attributes:
        message: What Sentry calls this error.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("The AI service is not set up correctly.")
        self.message = f"The AI service refuses requests: {reason}"

    def __str__(self) -> str:
        """Return what is reported, for logs."""
        return self.message


class AiAnswerError(AppError):
    """The service answers with something that is no answer."""

    status_code = HTTPStatus.BAD_GATEWAY


class AiRefusalError(AppError):
    """The service declines this very question, for its length or its content: the caller's to change."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
