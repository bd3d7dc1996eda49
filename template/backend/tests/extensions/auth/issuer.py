"""An OpenID Connect issuer on the loopback: a real server whose keys, mood and health the test decides."""

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "my-api"
DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/keys"


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a key that is made once per name, because that takes a while."""
    del name
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    del name
    return ec.generate_private_key(ec.SECP256R1())


def public(key: PrivateKeyTypes, kid: str | None, **more: Any) -> dict[str, Any]:
    """Return the public part of a key as the issuer shows it."""
    if isinstance(key, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, **({} if kid is None else {"kid": kid}), "use": "sig", **more}


def part(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@dataclass
class Issuer:
    """What the server answers, and how often it was asked."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    document: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    asked: "Counter[str]" = field(default_factory=Counter)
    seen: list[str] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return claims of a good token, with changes; ``None`` leaves one out."""
        now = int(time.time())
        good = {"iss": self.url, "aud": AUDIENCE, "sub": "user-7", "iat": now, "exp": now + 60}
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def token(
        self, kid: str | None = "one", algorithm: str = "ES256", key: Any = None, headers: Any = None, **changes: Any
    ) -> str:
        """Return a token of this issuer, signed with the key of the id unless another is given."""
        named = {} if kid is None else {"kid": kid}
        signing = key if key is not None else ec_key(kid or "one")
        return jwt.encode(self.claims(**changes), signing, algorithm, headers={**named, **(headers or {})})


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Run an issuer for the length of a ``with`` block; its first key is called ``one``."""
    issuer = Issuer(keys=[public(ec_key("one"), "one")])
    issuer.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked[self.path] += 1
            issuer.seen.append(str(self.headers))
            issuer.may_answer.wait()
            discovery = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}{JWKS}", **issuer.document}
            content = discovery if self.path == DISCOVERY else {"keys": issuer.keys}
            body = json.dumps(content).encode() if issuer.body is None else issuer.body
            self.send_response(issuer.status)
            for name, value in {"Content-Length": str(len(body)), **issuer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield issuer
        finally:
            issuer.may_answer.set()
            server.shutdown()
            thread.join()
