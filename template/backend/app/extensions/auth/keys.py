"""The keys of an OpenID Connect issuer: found by discovery, kept, and fetched anew when they rotate.

https://openid.net/specs/openid-connect-discovery-1_0.html
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from app.extensions.auth.errors import IssuerUnavailableError

FETCH_SECONDS = 5.0
"""How long the issuer may take for its two documents, in all."""

FRESH_SECONDS = 600.0
"""After that, keys are fetched anew while those at hand are still used."""

STALE_SECONDS = 86_400.0
"""How long keys outlive an outage of the issuer. A key that was withdrawn meanwhile is believed no longer than that."""

MAX_BYTES = 256 * 1024
"""The longest document that is read."""

MAX_KEYS = 100

Jwk = Mapping[str, Any]

# Without compression, so that a short answer cannot become a long one.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}

logger = logging.getLogger(__name__)


class BadDocumentError(ValueError):
    """The issuer answers with something else than what the specification says."""


class IssuerKeys:
    """Finds a key by its id.

    Args:
        issuer: Its address.
        refetch_seconds: The issuer is asked no more often.
        is_https: Whether every address has to be.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, issuer: str, refetch_seconds: float, *, is_https: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._refetch_seconds = refetch_seconds
        self._is_https = is_https
        self._clock = clock
        self._client = _open_http()
        self._keys: dict[str | None, Jwk] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> Jwk | None:
        """Return the key of this id, or nothing. Without an id, the only key there is.

        Raises:
            IssuerUnavailableError: there are no keys to look among.
        """
        if self._age() >= STALE_SECONDS:
            await self._refresh()
            if self._age() >= STALE_SECONDS:
                raise IssuerUnavailableError
        elif self._age() >= FRESH_SECONDS and self._may_ask():
            self._start()
        if self._look_up(kid) is None:
            # It may be new. Whoever makes ids up is not let through to the issuer more often than the setting says.
            await self._refresh()
        return self._look_up(kid)

    async def check(self) -> None:
        """Say whether tokens can be verified.

        Raises:
            IssuerUnavailableError: there are no keys.
        """
        if self._age() >= STALE_SECONDS:
            await self._refresh()
        if self._age() >= STALE_SECONDS:
            raise IssuerUnavailableError

    async def aclose(self) -> None:
        """Stop fetching, and close the connections."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await self._client.aclose()

    def _look_up(self, kid: str | None) -> Jwk | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._clock() - self._fetched

    def _may_ask(self) -> bool:
        return self._fetching is None and (self._tried is None or self._clock() - self._tried >= self._refetch_seconds)

    async def _refresh(self) -> None:
        """Fetch the keys once for all who wait, unless that was tried a moment ago."""
        if self._may_ask():
            self._start()
        if self._fetching:
            # Who stops waiting does not stop it for the others.
            await asyncio.shield(self._fetching)

    def _start(self) -> None:
        self._tried = self._clock()
        self._fetching = asyncio.create_task(self._fetch())

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                keys = _usable(await self._get(await self._discover()))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, BadDocumentError) as error:
            # A warning and no event: the keys at hand serve on, and where there are none each request says so.
            logger.warning("The issuer's keys could not be fetched: %s", str(error) or type(error).__name__)
        else:
            self._keys = keys
            self._fetched = self._clock()
        finally:
            self._fetching = None

    async def _discover(self) -> object:
        document = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer:
            raise BadDocumentError("the discovery document is another issuer's")
        return document.get("jwks_uri")

    async def _get(self, url: object) -> Mapping[str, Any]:
        schemes = ("https",) if self._is_https else ("https", "http")
        if not isinstance(url, str) or not _is_address(url, schemes):
            raise BadDocumentError("the discovery document names no proper address of keys")
        body = bytearray()
        async with self._client.stream("GET", url, headers=_HEADERS) as response:
            if response.status_code != httpx2.codes.OK:
                raise BadDocumentError(f"the issuer answered {response.status_code}")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise BadDocumentError(f"a document of the issuer is longer than {MAX_BYTES} bytes")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise BadDocumentError("a document of the issuer is no JSON object")
        return document


def _is_address(text: str, schemes: Collection[str]) -> bool:
    try:
        parts = urlsplit(text)
        # Reading the port fails where there is no such port.
        return text.isascii() and parts.scheme in schemes and parts.port != 0
    except ValueError:
        return False


def _open_http() -> httpx2.AsyncClient:
    options: dict[str, Any] = {"timeout": FETCH_SECONDS, "follow_redirects": False}
    try:
        return httpx2.AsyncClient(**options)
    except (httpx2.InvalidURL, ValueError, ImportError):
        # Without the value: it may hold a password. SOCKS needs more packages.
        logger.warning("HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used; the issuer is reached without it")
        return httpx2.AsyncClient(**options, trust_env=False)


def _usable(document: Mapping[str, Any]) -> dict[str | None, Jwk]:
    """Return the keys that verify signatures by their ids: public ones, which secrets and keys for encryption are not.

    Raises:
        BadDocumentError: there is none.
    """
    found = document.get("keys")
    keys: dict[str | None, Jwk] = {
        key.get("kid"): key
        for key in (found if isinstance(found, list) else [])[:MAX_KEYS]
        if isinstance(key, dict)
        # No set: it fails on what has no hash, such as a list, and one odd key shall not cost the others.
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
        and isinstance(key.get("kid"), str | None)
    }
    if not keys:
        raise BadDocumentError("the issuer has no key for signatures")
    return keys
