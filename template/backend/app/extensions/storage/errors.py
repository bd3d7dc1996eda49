"""What can go wrong with an object storage, as errors with an answer that repeat nothing of what the server said.

Its answers hold ids of keys, what was signed, and paths; they become neither message nor cause.
"""

import re

from obstore.exceptions import BaseError, GenericError, PermissionDeniedError, UnauthenticatedError

from app.core.exceptions import AppError, NotFoundError, UnavailableError

# The library tells a status and S3's error code only in its text.
_STATUS = re.compile(r"status code: ([345][0-9]{2})")
_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_NO_BUCKET = "NoSuchBucket"
# What S3 answers for a bucket of another region; the library hides status and code.
_ELSEWHERE = "Received redirect without LOCATION"
_REDIRECTED = "PermanentRedirect"
_REFUSALS = ("3", "4")
# S3 asks for patience with these.
_PASSING = frozenset({"408", "429"})


class StorageNotConfiguredError(UnavailableError):
    """No bucket is configured. Somebody's choice and no failure."""

    expected = True

    def __init__(self) -> None:
        super().__init__("The object storage is not configured.")


class StorageDownError(UnavailableError):
    """The storage does not answer, or says that it is in trouble. It passes: counted and not reported."""

    expected = True

    def __init__(self) -> None:
        super().__init__("The object storage does not answer.")


class StorageRefusedError(UnavailableError):
    """The storage refuses this application: wrong key, wrong bucket, no permission. A person has to act.

    Args:
        reason: S3's error code, such as ``SignatureDoesNotMatch``, or the status.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("The object storage refused the application.")
        self.add_note(f"S3 said {reason}")
        self.reason = reason


class ObjectNotFoundError(NotFoundError):
    """There is no object of this key."""

    def __init__(self) -> None:
        super().__init__("There is no such object.")


def translated(error: Exception) -> AppError | None:
    """Return what an error of the library means, or ``None`` when it is none of the storage."""
    text = str(error)
    status = _first(_STATUS, text)
    code = _first(_CODE, text)
    if isinstance(error, FileNotFoundError):
        return StorageRefusedError(code) if code == _NO_BUCKET else ObjectNotFoundError()
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return StorageRefusedError(code or status or "no")
    if isinstance(error, GenericError):
        if _ELSEWHERE in text:
            return StorageRefusedError(_REDIRECTED)
        is_refusal = status.startswith(_REFUSALS) and status not in _PASSING
        return StorageRefusedError(code or status) if is_refusal else StorageDownError()
    return StorageRefusedError(type(error).__name__) if isinstance(error, BaseError) else None


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""
