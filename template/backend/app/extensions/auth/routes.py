"""Who am I, and the sign-in for development."""

import hashlib
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, ValidationError
from starlette.routing import Match
from starlette.types import Scope

from app.extensions.auth.deps import CurrentUser
from app.extensions.auth.keys import IssuerKeys
from app.extensions.auth.settings import AuthSettings
from app.extensions.auth.tokens import IssuerVerifier, Nobody, SecretVerifier, User

_ID_LENGTH = 16

logger = logging.getLogger(__name__)


class _Present:
    """What the readiness check looks at: it gets no request, so the application leaves it here."""

    keys: IssuerKeys | None = None


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.stub = None
    try:
        settings = AuthSettings()
    except ValidationError:
        # A process does not start like this, see app.main. An application that is built without it believes nobody.
        app.state.verifier = Nobody()
        yield
        return
    if settings.issuer and settings.audience:
        is_https = settings.issuer.startswith("https://")
        keys = _Present.keys = IssuerKeys(settings.issuer, settings.refetch_seconds, is_https=is_https)
        app.state.verifier = IssuerVerifier(
            keys, settings.issuer, settings.audience, settings.algorithms, settings.leeway_seconds
        )
        try:
            yield
        finally:
            _Present.keys = None
            await keys.aclose()
        return
    if settings.secret is None:
        logger.info("AUTH_SECRET is empty: tokens are signed with a random secret and end with this process")
    secret = settings.secret.get_secret_value() if settings.secret else secrets.token_urlsafe(32)
    app.state.verifier = SecretVerifier(secret, settings.leeway_seconds)
    if settings.has_stub:
        app.state.stub = Stub(app.state.verifier, settings.token_seconds)
    yield


async def readiness() -> None:
    """Check that tokens can be verified; without an issuer there is nothing to check."""
    if _Present.keys:
        await _Present.keys.check()


router = APIRouter(tags=["auth"], lifespan=_lifespan)


class Credentials(BaseModel):
    """Who wants to be who. There is no password: it would have to be kept somewhere."""

    name: str = Field(min_length=1, max_length=80)


class SignedIn(BaseModel):
    """A token, as OAuth 2.0 words it."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 the kind of token, not the token
    expires_in: int = Field(description="In seconds.")


class Stub:
    """Gives a token to everybody who asks. It exists in development only, see ``AuthSettings.has_stub``.

    Args:
        signer: Signs the tokens.
        seconds: How long they are valid.
    """

    def __init__(self, signer: SecretVerifier, seconds: int) -> None:
        self._signer = signer
        self._seconds = seconds

    def sign_in(self, name: str) -> SignedIn:
        """Return a token: the same id for the same name, and no name in the id, because ids leave."""
        digest = hashlib.sha256(name.encode()).hexdigest()
        user = User(id=f"dev-{digest[:_ID_LENGTH]}", name=name)
        return SignedIn(access_token=self._signer.sign(user, self._seconds), expires_in=self._seconds)


class DevelopmentRoute(APIRoute):
    """A route that is there while the application has a stub, and otherwise matches nothing: 404, whatever is sent."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Say whether a request is for this route."""
        if getattr(scope["app"].state, "stub", None) is None:
            return Match.NONE, {}
        return super().matches(scope)


@router.get("/me")
async def me(user: CurrentUser) -> User:
    """Say who asks."""
    return user


development = APIRouter(route_class=DevelopmentRoute)


@development.post("/auth/sign-in", name="sign_in")
async def sign_in(credentials: Credentials, request: Request) -> SignedIn:
    """Give a short token to everybody who asks. Only in development; elsewhere there is no such route."""
    stub: Stub = request.app.state.stub
    return stub.sign_in(credentials.name)


router.include_router(development)
