"""The issuer's keys: rotation, outage, slowness, garbage. The issuer is a real server."""

import asyncio
import time
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from app.extensions.auth import keys as module
from app.extensions.auth.errors import IssuerUnavailableError
from app.extensions.auth.keys import FRESH_SECONDS, MAX_BYTES, STALE_SECONDS, IssuerKeys
from tests.extensions.auth.issuer import DISCOVERY, JWKS, Issuer, ec_key, public
from tests.extensions.auth.test_tokens import ask
from tests.support import StartSentry


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def looking(issuer: Issuer, clock: Clock, *ids: str) -> list[bool]:
    keys = IssuerKeys(issuer.url, 10, is_https=False, clock=clock)
    try:
        return [await keys.find(kid) is not None for kid in ids]
    finally:
        await keys.aclose()


def test_keys_are_fetched_once_for_all_who_wait(issuer: Issuer) -> None:
    async def run() -> None:
        keys = IssuerKeys(issuer.url, 10, is_https=False)
        assert all(await asyncio.gather(*(keys.find("one") for _ in range(50))))
        await keys.aclose()

    asyncio.run(run())
    assert issuer.asked == {DISCOVERY: 1, JWKS: 1}


def test_unknown_keys_are_looked_for_only_so_often(issuer: Issuer) -> None:
    clock = Clock()
    made_up = [f"made-up-{number}" for number in range(100)]
    assert asyncio.run(looking(issuer, clock, "one", *made_up)) == [True] + [False] * 100
    assert issuer.asked[JWKS] == 1


def test_a_new_key_is_found_and_a_withdrawn_one_is_not(issuer: Issuer) -> None:
    async def run() -> None:
        clock = Clock()
        keys = IssuerKeys(issuer.url, 10, is_https=False, clock=clock)
        assert await keys.find("one")
        issuer.keys = [public(ec_key("two"), "two")]
        assert await keys.find("two") is None
        clock.now += 10
        assert await keys.find("two")
        assert await keys.find("one") is None
        await keys.aclose()

    asyncio.run(run())
    assert issuer.asked[JWKS] == 2


def test_keys_outlive_an_outage_for_a_day(issuer: Issuer) -> None:
    async def run() -> None:
        clock = Clock()
        keys = IssuerKeys(issuer.url, 10, is_https=False, clock=clock)
        assert await keys.find("one")
        issuer.status = 500
        clock.now += STALE_SECONDS - 1
        assert await keys.find("one")
        await keys.check()
        clock.now += 20
        with pytest.raises(IssuerUnavailableError):
            await keys.find("one")
        issuer.status = 200
        clock.now += 10
        assert await keys.find("one")
        await keys.aclose()

    asyncio.run(run())


def test_old_keys_are_fetched_anew_while_they_serve(issuer: Issuer) -> None:
    async def run() -> None:
        clock = Clock()
        keys = IssuerKeys(issuer.url, 10, is_https=False, clock=clock)
        assert await keys.find("one")
        issuer.may_answer.clear()
        clock.now += FRESH_SECONDS
        # The issuer is slow, and nobody waits for it.
        assert await asyncio.wait_for(keys.find("one"), 2)
        issuer.may_answer.set()
        await wait_for(lambda: issuer.asked[JWKS] == 2)
        await keys.aclose()

    asyncio.run(run())


async def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_who_stops_waiting_stops_nobody_else(issuer: Issuer) -> None:
    async def run() -> None:
        keys = IssuerKeys(issuer.url, 10, is_https=False)
        issuer.may_answer.clear()
        first, second = asyncio.create_task(keys.find("one")), asyncio.create_task(keys.find("one"))
        await wait_for(lambda: issuer.asked[DISCOVERY] == 1)
        first.cancel()
        issuer.may_answer.set()
        assert await second
        await keys.aclose()

    asyncio.run(run())
    assert issuer.asked[JWKS] == 1


def test_a_slow_issuer_is_waited_for_only_so_long(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_SECONDS", 0.2)
    issuer.may_answer.clear()
    with pytest.raises(IssuerUnavailableError):
        asyncio.run(looking(issuer, Clock(), "one"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"keys": 5}',
        b'{"keys": []}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"a": "' + b"x" * MAX_BYTES + b'"}',
    ],
)
def test_garbage_of_the_issuer_is_an_outage(issuer: Issuer, body: bytes) -> None:
    issuer.body = body
    with pytest.raises(IssuerUnavailableError):
        asyncio.run(looking(issuer, Clock(), "one"))


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example.com"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 5},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://"},
        {"jwks_uri": "http://[::1"},
        {"jwks_uri": "http://127.0.0.1:99999/"},
        {"jwks_uri": "http://127.0.0.1/\ud800"},
    ],
)
def test_a_discovery_document_that_is_wrong_is_an_outage(issuer: Issuer, document: dict[str, object]) -> None:
    issuer.document = document
    with pytest.raises(IssuerUnavailableError):
        asyncio.run(looking(issuer, Clock(), "one"))


def test_an_issuer_by_https_has_keys_by_https(issuer: Issuer) -> None:
    async def run() -> None:
        keys = IssuerKeys(issuer.url, 10, is_https=True)
        try:
            await keys.find("one")
        finally:
            await keys.aclose()

    with pytest.raises(IssuerUnavailableError):
        asyncio.run(run())
    assert issuer.asked == {}


def test_redirects_are_not_followed(issuer: Issuer) -> None:
    issuer.status, issuer.headers = 302, {"Location": f"{issuer.url}/elsewhere"}
    with pytest.raises(IssuerUnavailableError):
        asyncio.run(looking(issuer, Clock(), "one"))
    assert issuer.asked == {DISCOVERY: 1}


@pytest.mark.parametrize("proxy", ["http://proxy.example.com:none", "canary://proxy", "socks5://canary:1080"])
def test_a_proxy_that_is_none_is_told_and_left_out(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    assert asyncio.run(looking(issuer, Clock(), "one")) == [True]
    assert "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used" in caplog.text
    assert "canary" not in caplog.text


def ready(client: TestClient) -> tuple[int, str]:
    answer = client.get("/health/ready")
    return answer.status_code, answer.json()["checks"]["auth"]


def test_an_outage_from_the_start_is_503_counted_and_no_event(
    client: TestClient, issuer: Issuer, start_sentry: StartSentry
) -> None:
    sent = start_sentry()
    issuer.status = 500
    answer = ask(client, issuer.token())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["detail"] == "The sign-in service does not answer: try again in a moment."
    assert answer.json()["event_id"] is None
    assert ready(client) == (503, "failed")
    assert sent.events == []
    assert client.get("/health/sentry").json()["dropped"]["filter: expected-failure"] == 1
    issuer.status = 200
    deadline = time.monotonic() + 60
    while ask(client, issuer.token()).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ready(client) == (200, "ok")


def test_an_outage_later_is_noticed_by_nobody(client: TestClient, issuer: Issuer) -> None:
    assert ask(client, issuer.token()).status_code == 200
    issuer.status = 500
    assert ask(client, issuer.token()).status_code == 200
    assert ready(client) == (200, "ok")


def test_the_issuer_is_told_neither_token_nor_trace(
    client: TestClient, issuer: Issuer, start_sentry: StartSentry
) -> None:
    start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    token = issuer.token()
    assert ask(client, token).status_code == 200
    assert len(issuer.seen) == 2
    for headers in issuer.seen:
        assert token not in headers
        assert "sentry-trace" not in headers.lower()
