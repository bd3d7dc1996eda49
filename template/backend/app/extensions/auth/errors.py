"""How authentication fails."""

from collections.abc import Mapping
from typing import Literal

from app.core.exceptions import AuthenticationError, UnavailableError

Reason = Literal[
    "missing",
    "malformed",
    "too_long",
    "algorithm",
    "unknown_key",
    "signature",
    "expired",
    "not_yet_valid",
    "audience",
    "issuer",
    "claims",
]
"""What failures are counted by. Nothing that a caller sent becomes part of it."""

_DETAILS: Mapping[Reason, str] = {
    "missing": "Sign in: the request carries no bearer token.",
    "expired": "The sign-in has expired: sign in again.",
}


class InvalidTokenError(AuthenticationError):
    """A token that proves nothing. The caller learns no more than that, or that it has expired."""

    # https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    headers: Mapping[str, str] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}

    def __init__(self, reason: Reason) -> None:
        super().__init__(_DETAILS.get(reason, "The bearer token is not valid."), reason)


class MissingTokenError(AuthenticationError):
    """There is no token. That is no error of a token, so the header names none."""

    def __init__(self) -> None:
        super().__init__(_DETAILS["missing"], "missing")


class IssuerUnavailableError(UnavailableError):
    """Nobody can say whether a token is genuine: the issuer's keys were never fetched, or too long ago."""

    expected = True
    headers: Mapping[str, str] = {"Retry-After": "10"}

    def __init__(self) -> None:
        super().__init__("The sign-in service does not answer: try again in a moment.")
