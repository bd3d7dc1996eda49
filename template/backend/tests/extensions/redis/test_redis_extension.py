"""Redis as a part of the application: its variables, its readiness, its example and its trace."""

import asyncio

import pytest
from fastapi.testclient import TestClient

from app.core.config import ConfigurationError, load_settings
from app.extensions.redis.connection import connection, ping, redis_client
from app.extensions.redis.settings import RedisSettings
from tests.extensions.redis_server import PASSWORD, RedisServer
from tests.support import MakeApp, StartSentry


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{PASSWORD}@localhost",
        f"redis://:{PASSWORD}@localhost:port/0",
        f"redis://:{PASSWORD}@localhost:99999/0",
        f"redis://:{PASSWORD}@localhost?socket_timeout={PASSWORD}",
        f"redis://:{PASSWORD}@localhost?nonsense={PASSWORD}",
        PASSWORD,
    ],
)
def test_a_bad_address_is_one_line_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)

    with pytest.raises(ConfigurationError) as failure:
        load_settings([RedisSettings])

    assert str(failure.value).startswith("REDIS_URL: the value is not an address like redis://")
    assert PASSWORD not in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("url", ["rediss://:word@localhost:6380/1", "redis://localhost", "unix:///run/redis.sock"])
def test_good_addresses_are_kept_and_never_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)

    settings = RedisSettings()

    assert settings.url is not None
    assert settings.url.get_secret_value() == url
    assert url not in repr(settings)


@pytest.mark.parametrize(("name", "value"), [("TIMEOUT_SECONDS", "soon"), ("MAX_CONNECTIONS", "0")])
def test_a_bad_number_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"REDIS_{name}", value)

    with pytest.raises(ConfigurationError, match=f"^REDIS_{name}: Input should be"):
        load_settings([RedisSettings])


def test_without_redis_everything_works_and_nothing_is_kept(make_app: MakeApp) -> None:
    with TestClient(make_app()) as client:
        times = [client.get("/api/v1/cached-time").json()["time"] for _ in range(2)]
        ready = client.get("/health/ready")

    assert times[0] != times[1]
    assert (ready.status_code, ready.json()["checks"]["redis"]) == (200, "ok")


@pytest.mark.usefixtures("redis_server")
def test_the_example_keeps_its_answer(make_app: MakeApp) -> None:
    with TestClient(make_app()) as client:
        times = [client.get("/api/v1/cached-time").json()["time"] for _ in range(2)]
        ready = client.get("/health/ready")

    assert times[0] == times[1]
    assert (ready.status_code, ready.json()["checks"]["redis"]) == (200, "ok")


def test_redis_that_is_configured_and_away_is_not_ready_and_answers_all_the_same(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, start_sentry: StartSentry, caplog: pytest.LogCaptureFixture
) -> None:
    sent = start_sentry()
    monkeypatch.setenv("REDIS_URL", RedisServer().url)

    with TestClient(make_app()) as client:
        answer = client.get("/api/v1/cached-time")
        ready = client.get("/health/ready")

    assert answer.status_code == 200
    assert (ready.status_code, ready.json()["checks"]["redis"]) == (503, "failed")
    # Probes ask every few seconds: the log gets the kind of the error and not the way to it.
    assert "Redis does not answer: ConnectionError" in caplog.text
    assert "redis/asyncio" not in caplog.text
    assert sent.events == []
    assert PASSWORD.encode() not in sent.raw


@pytest.mark.usefixtures("redis_server")
def test_a_pool_in_full_use_does_not_look_like_redis_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_MAX_CONNECTIONS", "1")

    async def work() -> None:
        async with connection.opened(RedisSettings()):
            pool = redis_client().connection_pool
            held = await pool.get_connection()  # type: ignore[no-untyped-call]
            await ping()
            await pool.release(held)

    asyncio.run(work())


@pytest.mark.usefixtures("redis_server")
def test_the_trace_of_a_request_shows_miss_and_hit(make_app: MakeApp, start_sentry: StartSentry) -> None:
    sent = start_sentry()

    with TestClient(make_app()) as client:
        client.get("/api/v1/cached-time")
        client.get("/api/v1/cached-time")

    traces = [transaction for transaction in sent.transactions if transaction["transaction"] == "/api/v1/cached-time"]
    hits = [[span["data"]["cache.hit"] for span in trace["spans"] if span["op"] == "cache.get"] for trace in traces]
    assert hits == [[False], [True]]
    assert [span["op"] for span in traces[0]["spans"] if span["op"] != "db"] == ["cache.get", "cache.put"]
