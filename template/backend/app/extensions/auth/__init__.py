"""Authentication: who asks, by a bearer token that is a JWT. ``CurrentUser`` is what your routes ask for."""

from app.core.extension import Extension
from app.extensions.auth.routes import readiness, router
from app.extensions.auth.settings import AuthSettings

extension = Extension("auth", settings=AuthSettings, router=router, readiness=readiness)
