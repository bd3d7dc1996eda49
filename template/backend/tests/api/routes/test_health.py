"""Health checks."""

import asyncio

import pytest
from fastapi.testclient import TestClient

from app.api.routes import health
from app.core.extension import Extension
from app.core.sentry import delivery as core
from app.core.sentry.delivery import PROBE_LIFETIME_SECONDS, Probe, delivery
from tests.support import RELEASE, MakeApp, StartSentry, receiving


async def answer() -> None:
    """Be ready."""


async def fail() -> None:
    raise ConnectionError("no answer")


def test_health_says_which_build_answers(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "environment": "development", "release": RELEASE}


def test_live(client: TestClient) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}


def test_without_extensions_the_application_is_ready(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "EXTENSIONS", ())

    assert client.get("/health/ready").json() == {"status": "ready", "checks": {}}


def test_an_extension_that_fails_makes_it_not_ready_and_no_event(
    client: TestClient, start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = start_sentry()
    extensions = (Extension("cache", readiness=answer), Extension("mail", readiness=fail), Extension("plain"))
    monkeypatch.setattr(health, "EXTENSIONS", extensions)

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "checks": {"cache": "ok", "mail": "failed"}}
    assert sent.events == []


def test_all_are_asked_at_once(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    both = asyncio.Barrier(2)

    async def meet() -> None:
        async with asyncio.timeout(60):
            await both.wait()

    monkeypatch.setattr(health, "EXTENSIONS", (Extension("one", readiness=meet), Extension("other", readiness=meet)))
    with TestClient(make_app()) as client:
        response = client.get("/health/ready")

    assert response.json() == {"status": "ready", "checks": {"one": "ok", "other": "ok"}}


@pytest.mark.parametrize("path", health.PATHS)
def test_health_checks_are_never_traced(path: str, client: TestClient, start_sentry: StartSentry) -> None:
    sent = start_sentry()

    client.get(path, headers={"sentry-trace": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"})

    assert sent.transactions == []


SENTRY = "/health/sentry"


def test_without_a_dsn_nothing_is_asked_and_nothing_is_known(client: TestClient) -> None:
    assert client.get(SENTRY).json() == {
        "configured": False,
        "reachable": None,
        "sent": 0,
        "last_delivery": None,
        "last_error": None,
        "last_error_time": None,
        "dropped": {},
        "tunnel": None,
    }


def test_it_says_what_became_of_events_and_sends_none(make_app: MakeApp, start_sentry: StartSentry) -> None:
    sent = start_sentry()
    delivery.count_sent(3)
    delivery.count_error("HTTP 429")
    delivery.count_dropped("filter", "client-error", 2)
    with receiving() as ingest, TestClient(make_app(SENTRY_DSN=ingest.dsn, VITE_SENTRY_DSN=ingest.dsn)) as caller:
        caller.post("/api/v1/tunnel", content=b"x")
        answers = [caller.get(SENTRY) for _ in range(5)]

    shown = answers[-1].json()
    assert shown["configured"] is True
    assert shown["reachable"] is True
    assert (shown["sent"], shown["last_error"], shown["dropped"]) == (3, "HTTP 429", {"filter: client-error": 2})
    assert shown["last_delivery"].endswith("Z")
    assert shown["last_error_time"] >= shown["last_delivery"]
    assert shown["tunnel"] == {"403": 1}
    assert "public" not in answers[-1].text
    assert sent.events == sent.transactions == []
    # Five questions from here, one to Sentry, and no event in it.
    assert [(request.path, request.body) for request in ingest.requests] == [("/", b"")]
    assert {"cookie", "sentry-trace", "baggage", "x-sentry-auth"}.isdisjoint(ingest.requests[0].headers)


@pytest.mark.parametrize("status", [200, 301, 404, 429, 500])
def test_any_answer_means_that_sentry_is_reachable(status: int, make_app: MakeApp) -> None:
    with receiving() as ingest, receiving() as elsewhere:
        ingest.status, ingest.headers = status, {"Location": f"http://127.0.0.1:{elsewhere.port}/"}
        with TestClient(make_app(SENTRY_DSN=ingest.dsn)) as caller:
            assert caller.get(SENTRY).json()["reachable"] is True

        assert elsewhere.requests == []


def test_a_sentry_that_is_away_or_silent_is_not_reachable(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "PROBE_SECONDS", 0.1)
    with receiving() as silent:
        silent.may_answer.clear()
        with TestClient(make_app(SENTRY_DSN=silent.dsn)) as caller:
            assert caller.get(SENTRY).json()["reachable"] is False
    with TestClient(make_app(SENTRY_DSN=silent.dsn)) as caller:
        assert caller.get(SENTRY).json()["reachable"] is False


def test_sentry_is_asked_again_when_the_answer_is_old_and_never_twice_at_once() -> None:
    now = [0.0]

    async def ask() -> list[int]:
        counts = []
        with receiving() as ingest:
            probe = Probe(ingest.dsn, clock=lambda: now[0])
            for now[0] in (0.0, PROBE_LIFETIME_SECONDS - 1, PROBE_LIFETIME_SECONDS):
                assert all(await asyncio.gather(*(probe.is_reachable() for _ in range(10))))
                counts.append(len(ingest.requests))
            await probe.aclose()
        return counts

    assert asyncio.run(ask()) == [1, 1, 2]


def test_in_production_it_needs_the_token(make_app: MakeApp) -> None:
    token = "correct-horse-battery"
    with TestClient(make_app(ENVIRONMENT="production", SENTRY_DIAGNOSTICS_TOKEN=token)) as caller:
        assert caller.get(SENTRY).status_code == 404
        assert caller.get(SENTRY, headers={"Authorization": f"Bearer {token}"}).status_code == 200
