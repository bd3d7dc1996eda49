"""Which tokens are believed, and what the others are counted as."""

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient
from httpx2 import Response
from jwt import InsecureKeyLengthWarning
from jwt.algorithms import ECAlgorithm

from tests.extensions.auth.issuer import AUDIENCE, DISCOVERY, JWKS, Issuer, ec_key, part, public, rsa_key
from tests.support import StartSentry


def ask(client: TestClient, token: str) -> Response:
    return client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})


def test_a_good_token_says_who_asks(client: TestClient, issuer: Issuer) -> None:
    answer = ask(client, issuer.token(name="Ada", email="ada@example.com"))
    assert answer.status_code == 200
    assert answer.json() == {"id": "user-7", "name": "Ada", "email": "ada@example.com"}


def test_the_other_algorithm_of_the_settings_is_good_too(client: TestClient, issuer: Issuer) -> None:
    issuer.keys = [public(rsa_key("two"), "two")]
    assert ask(client, issuer.token("two", "RS256", rsa_key("two"))).status_code == 200


def test_one_audience_of_several_will_do(client: TestClient, issuer: Issuer) -> None:
    assert ask(client, issuer.token(aud=["other", AUDIENCE])).status_code == 200


def test_names_that_are_no_text_are_left_out(client: TestClient, issuer: Issuer) -> None:
    assert ask(client, issuer.token(name={"a": 1}, email=5)).json() == {"id": "user-7", "name": None, "email": None}


def test_halves_of_characters_are_no_text(client: TestClient, issuer: Issuer) -> None:
    named = ask(client, issuer.token(name="Ada \ud83d", email="\udfff"))
    assert (named.status_code, named.json()) == (200, {"id": "user-7", "name": None, "email": None})
    assert ask(client, issuer.token(sub="user\ud800")).status_code == 401


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": int(time.time()) - 3600}, "expired"),
        ({"exp": None}, "claims"),
        ({"exp": "soon"}, "malformed"),
        ({"iat": None}, "claims"),
        ({"iat": int(time.time()) + 3600}, "not_yet_valid"),
        ({"nbf": int(time.time()) + 3600}, "not_yet_valid"),
        ({"aud": "other"}, "audience"),
        ({"aud": None}, "claims"),
        ({"aud": 5}, "audience"),
        ({"iss": "https://evil.example.com"}, "issuer"),
        ({"iss": None}, "claims"),
        ({"sub": None}, "claims"),
        ({"sub": ""}, "claims"),
        ({"sub": "x" * 300}, "claims"),
    ],
)
def test_claims_that_do_not_fit_are_refused_by_reason(
    client: TestClient, issuer: Issuer, start_sentry: StartSentry, changes: dict[str, Any], reason: str
) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    answer = ask(client, issuer.token(**changes))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert sent.events == []
    (request,) = [row for row in sent.transactions if row["transaction"] == "/api/v1/me"]
    assert request["tags"]["auth_error"] == reason


@pytest.mark.parametrize(("seconds", "status"), [(-20, 200), (-40, 401)])
def test_clocks_may_differ_by_the_leeway_and_no_more(
    client: TestClient, issuer: Issuer, seconds: int, status: int
) -> None:
    for name, ahead in (("exp", seconds), ("nbf", -seconds), ("iat", -seconds)):
        changes: dict[str, Any] = {name: int(time.time()) + ahead}
        assert ask(client, issuer.token(**changes)).status_code == status


def unsigned(issuer: Issuer) -> str:
    return f"{part({'alg': 'none', 'kid': 'one'})}.{part(issuer.claims())}."


def unsigned_by_case(issuer: Issuer) -> str:
    return f"{part({'alg': 'nOnE', 'kid': 'one'})}.{part(issuer.claims())}."


def signed_with_the_public_key_as_secret(issuer: Issuer) -> str:
    """The classic: the public key is known to everybody, and HMAC takes any bytes for a secret."""
    import hmac  # noqa: PLC0415 only this forgery needs it

    secret = rsa_key("one").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    issuer.keys = [public(rsa_key("one"), "one")]
    text = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(issuer.claims())}"
    signature = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).rstrip(b"=").decode()
    return f"{text}.{signature}"


def signed_with_an_algorithm_that_is_not_set(issuer: Issuer) -> str:
    issuer.keys = [public(rsa_key("one"), "one")]
    return issuer.token("one", "PS256", rsa_key("one"))


def signed_with_a_key_for_another_algorithm(issuer: Issuer) -> str:
    issuer.keys = [public(rsa_key("one"), "one", alg="PS256")]
    return issuer.token("one", "RS256", rsa_key("one"))


def signed_with_a_key_of_another_kind(issuer: Issuer) -> str:
    return issuer.token("one", "RS256", rsa_key("other"))


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        unsigned_by_case,
        signed_with_the_public_key_as_secret,
        signed_with_an_algorithm_that_is_not_set,
        signed_with_a_key_for_another_algorithm,
        signed_with_a_key_of_another_kind,
    ],
)
def test_a_token_does_not_choose_its_algorithm(
    client: TestClient, issuer: Issuer, start_sentry: StartSentry, forge: Callable[[Issuer], str]
) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    assert ask(client, forge(issuer)).status_code == 401
    assert [row["tags"]["auth_error"] for row in sent.transactions] == ["algorithm"]


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk"])
def test_a_token_does_not_bring_its_own_key(client: TestClient, issuer: Issuer, header: str) -> None:
    evil = ec_key("evil")
    issuer.asked.clear()
    brought = public(evil, "one") if header == "jwk" else f"{issuer.url}/evil"
    assert ask(client, issuer.token(key=evil, headers={header: brought})).status_code == 401
    assert issuer.asked["/evil"] == 0


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"], "exp": 1}, {"crit": ["new"], "new": 1}, {"crit": []}, {"b64": False}]
)
def test_a_token_that_wants_more_than_is_understood_is_refused_however_it_is_signed(
    client: TestClient, issuer: Issuer, header: dict[str, Any]
) -> None:
    text = f"{part({'alg': 'ES256', 'kid': 'one', **header})}.{part(issuer.claims())}"
    signature = ECAlgorithm(ECAlgorithm.SHA256).sign(text.encode(), ec_key("one"))
    token = f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert ask(client, issuer.token()).status_code == 200
    assert ask(client, token).status_code == 401


@pytest.mark.parametrize("kid", ["../one", "one\0", "' OR 1=1 --", "/dev/null", f"{JWKS}#one"])
def test_a_key_id_is_a_name_and_nothing_else(client: TestClient, issuer: Issuer, kid: str) -> None:
    assert ask(client, issuer.token(kid, key=ec_key("one"))).status_code == 401
    assert set(issuer.asked) == {DISCOVERY, JWKS}


def test_the_key_of_somebody_else_is_no_key(client: TestClient, issuer: Issuer) -> None:
    assert ask(client, issuer.token(key=ec_key("evil"))).status_code == 401
    assert ask(client, issuer.token("evil", key=ec_key("evil"))).status_code == 401


def test_a_token_without_key_id_takes_the_only_key_there_is(client: TestClient, issuer: Issuer) -> None:
    assert ask(client, issuer.token(None)).status_code == 200
    issuer.keys.append(public(ec_key("two"), "two"))
    time_of_last = issuer.asked[JWKS]
    deadline = time.monotonic() + 10
    while ask(client, issuer.token("two")).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert issuer.asked[JWKS] == time_of_last + 1
    assert ask(client, issuer.token(None)).status_code == 401


@pytest.mark.parametrize("kind", [[], {}, 5, None])
def test_an_odd_key_does_not_cost_the_others(client: TestClient, issuer: Issuer, kind: object) -> None:
    issuer.keys.append({"kty": kind, "kid": "odd"})
    assert ask(client, issuer.token("odd")).status_code == 401
    assert ask(client, issuer.token()).status_code == 200


@pytest.mark.parametrize(
    "keys",
    [
        [{"kty": "oct", "kid": "one", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}],
        [public(ec_key("one"), "one", use="enc")],
        [{"kty": "EC", "kid": "one", "crv": "P-256", "x": "AA", "y": "AA"}],
        [{"kty": "RSA", "kid": "one"}],
        [public(rsa_key("weak", 1024), "one")],
        [{"kid": "one"}, 5, None, "key"],
    ],
)
def test_keys_that_are_none_open_nothing_and_break_nothing(
    client: TestClient, issuer: Issuer, start_sentry: StartSentry, keys: list[Any]
) -> None:
    sent = start_sentry()
    issuer.keys = keys
    with pytest.warns(InsecureKeyLengthWarning):
        weak = issuer.token("one", "RS256", rsa_key("weak", 1024))
    for token in (issuer.token(), weak):
        assert ask(client, token).status_code in {401, 503}
    assert sent.events == []


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "..",
        "a.b.c",
        "ä.ö.ü",
        part({"alg": "ES256"}),
        f"{part({'alg': 'ES256', 'kid': ['one']})}.e30.AA",
        f"{part({'alg': ['ES256'], 'kid': 'one'})}.e30.AA",
        f"{part({'alg': 'ES256', 'kid': 'one', 'crit': ['exp'], 'exp': 1})}.e30.AA",
        f"{part({'alg': 'ES256', 'kid': 'one', 'b64': False, 'crit': ['b64']})}.e30.AA",
        f"{part({'alg': 'ES256', 'kid': 'one'})}.{'W' * 4000}.AA",
        "e30.e30.",
        "x" * 9000,
        "bnVsbA.bnVsbA.bnVsbA",
    ],
)
def test_garbage_is_refused_and_no_event(
    client: TestClient, issuer: Issuer, start_sentry: StartSentry, token: str
) -> None:
    sent = start_sentry()
    issuer.asked.clear()
    answer = client.get("/api/v1/me", headers={b"Authorization": f"Bearer {token}".encode()})
    assert answer.status_code == 401
    assert sent.events == []


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token abc"])
def test_without_a_token_the_answer_says_how(client: TestClient, header: str | None) -> None:
    answer = client.get("/api/v1/me", headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.headers["www-authenticate"]) in {
        (401, "Bearer"),
        (401, 'Bearer error="invalid_token"'),
    }
