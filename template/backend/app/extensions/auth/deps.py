"""What routes ask for."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.core import sentry
from app.extensions.auth.errors import MissingTokenError
from app.extensions.auth.tokens import User, Verifier

_bearer = HTTPBearer(auto_error=False, description="A JWT of the issuer, or of the sign-in for development.")


async def get_current_user(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> User:
    """Return who asks, and tell Sentry their id.

    Raises:
        AuthenticationError: nobody knows who asks: 401, counted by its reason.
        IssuerUnavailableError: nobody can say: 503.
    """
    if credentials is None:
        raise MissingTokenError
    verifier: Verifier = request.app.state.verifier
    user = await verifier.verify(credentials.credentials)
    sentry.set_user_context(user.id, email=user.email, name=user.name)
    sentry.add_breadcrumb("Signed in by token", category="auth")
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]
"""``async def my_route(user: CurrentUser)``: only for those who are signed in."""
