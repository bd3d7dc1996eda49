"""Settings of authentication. What they lack or what contradicts the environment stops the start."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.core.config import BaseAppSettings
from app.core.variables import whole_number

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key. The list has no secret ones: somebody could sign with the public key as the secret."""

SHORTEST_SECRET = 32
"""Characters; HS256 is as strong as its key (RFC 7518, section 3.2)."""

_AUDIENCE = re.compile(r"[!-~]{1,200}")
_DEVELOPMENT = frozenset({"", "development"})


def _issuer(value: object) -> str:
    text = str(value)
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    is_plain = text.isascii() and text.isprintable() and " " not in text
    if not is_address or not is_plain or parts.username or parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("the value is not an address like https://login.example.com")
    return text


def _audience(value: object) -> str:
    if not _AUDIENCE.fullmatch(str(value)):
        raise ValueError("the value is not a name that a token's aud can have")
    return str(value)


def _secret(value: object) -> str:
    text = str(value)
    if len(text) < SHORTEST_SECRET:
        raise ValueError(f"the value is shorter than {SHORTEST_SECRET} characters")
    return text


def _algorithms(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not names or not set(names) <= set(ALGORITHMS):
        raise ValueError(f"the value is not a list of {', '.join(ALGORITHMS)}")
    return names


class AuthSettings(BaseAppSettings):
    """Who issues tokens, and how strictly they are looked at."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")

    environment: str = Field(default="", validation_alias="ENVIRONMENT")
    """``ENVIRONMENT`` as it is written; ``AppSettings`` complains about what is no environment. Whatever is not
    development here has to name an issuer."""

    sentry_environment: str = Field(default="", validation_alias="SENTRY_ENVIRONMENT")
    """``SENTRY_ENVIRONMENT`` likewise: a process that reports as production is taken for it."""

    issuer: Annotated[str, BeforeValidator(_issuer)] | None = None
    """``AUTH_ISSUER``: the address of who issues tokens, letter for letter as their ``iss``. Its keys are found by
    OpenID Connect discovery. Outside development it has to be there, and to be https."""

    audience: Annotated[str, BeforeValidator(_audience)] | None = None
    """``AUTH_AUDIENCE``: the name of this API in a token's ``aud``. Goes with the issuer."""

    secret: Annotated[SecretStr, BeforeValidator(_secret)] | None = None
    """``AUTH_SECRET``: signs and verifies tokens in development (HS256). Default: random, for this process alone."""

    algorithms: Annotated[tuple[Algorithm, ...], NoDecode, BeforeValidator(_algorithms)] = ("RS256", "ES256")
    """``AUTH_ALGORITHMS``: those that the issuer signs with, separated by commas. A token does not choose."""

    leeway_seconds: Annotated[int, whole_number(0, 300)] = 30
    """``AUTH_LEEWAY_SECONDS``: how far the clocks of issuer and API may differ."""

    token_seconds: Annotated[int, whole_number(1, 86_400)] = 900
    """``AUTH_TOKEN_SECONDS``: how long tokens of the sign-in for development are valid."""

    refetch_seconds: Annotated[int, whole_number(1, 3600)] = 10
    """``AUTH_REFETCH_SECONDS``: the issuer is asked for its keys no more often, whatever tokens come."""

    @field_validator("issuer")
    @classmethod
    def _fits_environment(cls, issuer: str | None, info: Any) -> str | None:  # noqa: ANN401 pydantic's own type
        if {info.data["environment"], info.data["sentry_environment"]} <= _DEVELOPMENT:
            return issuer
        if issuer is None:
            raise ValueError(
                "outside development the address of who issues tokens is needed, like https://login.example.com"
            )
        if not issuer.startswith("https://"):
            raise ValueError("outside development the address has to begin with https://")
        return issuer

    @field_validator("audience")
    @classmethod
    def _goes_with_issuer(cls, audience: str | None, info: Any) -> str | None:  # noqa: ANN401 as above
        if info.data.get("issuer") and audience is None:
            raise ValueError("the name of this API in the issuer's tokens is needed, their aud")
        return audience

    @field_validator("secret")
    @classmethod
    def _belongs_to_development(cls, secret: SecretStr | None, info: Any) -> SecretStr | None:  # noqa: ANN401 as above
        if secret is not None and info.data.get("issuer"):
            raise ValueError("tokens are verified with the keys of AUTH_ISSUER: leave one of the two out")
        return secret

    @property
    def has_stub(self) -> bool:
        """Whether the sign-in for development is open: only where ``ENVIRONMENT`` says development in so many words.

        A forgotten variable opens nothing.
        """
        is_said = self.environment == "development" and self.sentry_environment in _DEVELOPMENT
        return is_said and self.issuer is None
