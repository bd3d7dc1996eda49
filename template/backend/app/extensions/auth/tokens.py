"""Verifies tokens. What a token says about itself decides nothing: algorithm, issuer and audience are settings."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jwt
from jwt.exceptions import InvalidSubjectError
from pydantic import BaseModel, Field

from app.extensions.auth.errors import InvalidTokenError, IssuerUnavailableError, Reason
from app.extensions.auth.keys import IssuerKeys

LONGEST_TOKEN = 8192
"""Characters; more than any issuer's and less than what servers take as a header."""

LONGEST_SUBJECT = 255
"""Characters, by OpenID Connect Core 1.0, section 2."""

OWN_ISSUER = "development"
OWN_AUDIENCE = "development"
OWN_ALGORITHM = "HS256"

_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]

# The first that fits names the reason: subclasses stand before what they derive from.
_REASONS: Sequence[tuple[type[Exception], Reason]] = (
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "not_yet_valid"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.InvalidSignatureError, "signature"),
    (jwt.InvalidAlgorithmError, "algorithm"),
    (jwt.InvalidKeyError, "unknown_key"),
    (jwt.PyJWKError, "unknown_key"),
    (jwt.MissingRequiredClaimError, "claims"),
    (InvalidSubjectError, "claims"),
    (jwt.InvalidIssuedAtError, "claims"),
    (jwt.DecodeError, "malformed"),
)


class User(BaseModel):
    """Who asks, as their token says."""

    id: str = Field(description="The token's `sub`: what the issuer calls this user for ever.")
    # Not in the representation, which stack frames show.
    name: str | None = Field(default=None, repr=False)
    email: str | None = Field(default=None, repr=False)


class Verifier(Protocol):
    """Turns a token into a user."""

    async def verify(self, token: str) -> User:
        """Return whose token it is.

        Raises:
            InvalidTokenError: it is not genuine, or not for us, or not for now.
            IssuerUnavailableError: nobody can say.
        """


class Nobody:
    """Verifies no token, for want of somebody who issues them."""

    async def verify(self, token: str) -> User:
        """Say that nobody can say; see ``Verifier``."""
        del token
        raise IssuerUnavailableError


class IssuerVerifier:
    """Verifies the tokens of an issuer, with its public keys.

    Args:
        keys: The issuer's.
        issuer: Its address.
        audience: This API's name there.
        algorithms: Those that it signs with.
        leeway: How far clocks may differ, in seconds.
    """

    def __init__(self, keys: IssuerKeys, issuer: str, audience: str, algorithms: Sequence[str], leeway: int) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._algorithms = algorithms
        self._leeway = leeway

    async def verify(self, token: str) -> User:
        """Return whose token it is; see ``Verifier``."""
        header = _header_of(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._algorithms:
            raise InvalidTokenError("algorithm")
        # Of the header nothing else counts: jku, x5u and jwk would let a token bring its own key.
        data = await self._keys.find(kid)
        if data is None:
            raise InvalidTokenError("unknown_key")
        if data.get("alg", algorithm) != algorithm:
            raise InvalidTokenError("algorithm")
        try:
            key = jwt.PyJWK(dict(data), algorithm)
        except jwt.PyJWTError as error:
            # An elliptic curve with an algorithm of RSA, for example.
            raise InvalidTokenError("algorithm") from error
        claims = _claims_of(
            token, key, str(algorithm), issuer=self._issuer, audience=self._audience, leeway=self._leeway
        )
        return _user_of(claims)


class SecretVerifier:
    """Verifies tokens with a secret, and makes them: for development.

    Args:
        secret: Of 32 characters or more.
        leeway: How far clocks may differ, in seconds.
    """

    def __init__(self, secret: str, leeway: int) -> None:
        self._secret = secret
        self._leeway = leeway

    async def verify(self, token: str) -> User:
        """Return whose token it is; see ``Verifier``."""
        _header_of(token)
        claims = _claims_of(
            token, self._secret, OWN_ALGORITHM, issuer=OWN_ISSUER, audience=OWN_AUDIENCE, leeway=self._leeway
        )
        return _user_of(claims)

    def sign(self, user: User, seconds: int) -> str:
        """Return a token of this user that is valid for so long."""
        now = int(time.time())
        claims = {"iss": OWN_ISSUER, "aud": OWN_AUDIENCE, "sub": user.id, "iat": now, "exp": now + seconds}
        return jwt.encode({**claims, "name": user.name}, self._secret, OWN_ALGORITHM)


def _header_of(token: str) -> Mapping[str, Any]:
    if len(token) > LONGEST_TOKEN:
        raise InvalidTokenError("too_long")
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise InvalidTokenError("malformed") from error


def _claims_of(
    token: str, key: jwt.PyJWK | str, algorithm: str, *, issuer: str, audience: str, leeway: int
) -> Mapping[str, Any]:
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=issuer,
            audience=audience,
            leeway=leeway,
            options={"require": _REQUIRED, "enforce_minimum_key_length": True},
        )
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidTokenError(_reason_of(error)) from error
    return claims


def _reason_of(error: Exception) -> Reason:
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return "malformed"


def _user_of(claims: Mapping[str, Any]) -> User:
    subject = _text(claims["sub"])
    if subject is None or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise InvalidTokenError("claims")
    return User(id=subject, name=_text(claims.get("name")), email=_text(claims.get("email")))


def _text(claim: object) -> str | None:
    """Return a claim that is text. JSON can hold halves of characters, of which no answer and no event can be made."""
    if not isinstance(claim, str):
        return None
    try:
        claim.encode()
    except UnicodeEncodeError:
        return None
    return claim
