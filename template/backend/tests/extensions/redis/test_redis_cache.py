"""The cache against a real Redis: hit, miss, expiry, and every way in which Redis may be away."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import sentry_sdk
from redis.asyncio import Redis

from app.core.sentry.delivery import delivery
from app.extensions.redis import cached, redis_client
from app.extensions.redis.cache import cache
from app.extensions.redis.connection import connection
from app.extensions.redis.errors import RedisUnavailableError
from app.extensions.redis.settings import RedisSettings
from tests.extensions.redis_server import PASSWORD, RedisServer
from tests.support import StartSentry

SECRET = "blue horse of Anna"
Work = Callable[[], Coroutine[Any, Any, None]]


class Source:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked = asyncio.Event()

    async def load(self) -> list[int]:
        self.calls += 1
        self.asked.set()
        await asyncio.sleep(0.02)
        return [self.calls]

    async def fail(self) -> list[int]:
        self.calls += 1
        self.asked.set()
        await asyncio.sleep(0.02)
        raise ValueError("no numbers today")


@pytest.fixture
def source() -> Source:
    return Source()


def run(work: Work) -> None:
    """Run it as the application would: with the pool open."""

    async def opened() -> None:
        async with connection.opened(RedisSettings()):
            await work()

    asyncio.run(opened())


@pytest.mark.usefixtures("redis_server")
def test_the_second_caller_gets_what_the_first_one_loaded(source: Source) -> None:
    async def work() -> None:
        assert await cached("numbers", 60, source.load, list[int]) == [1]
        assert await cached("numbers", 60, source.load, list[int]) == [1]
        assert await cached("others", 60, source.load, list[int]) == [2]

    run(work)


@pytest.mark.usefixtures("redis_server")
def test_a_value_expires(source: Source) -> None:
    async def work() -> None:
        await cached("numbers", 0.05, source.load, list[int])
        deadline = time.monotonic() + 10
        while await redis_client().keys("*numbers"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert await cached("numbers", 60, source.load, list[int]) == [2]

    run(work)


@pytest.mark.usefixtures("redis_server")
def test_a_value_of_another_shape_is_loaded_again(source: Source) -> None:
    async def name() -> str:
        return "not numbers"

    async def work() -> None:
        await cached("numbers", 60, name, str)
        assert await cached("numbers", 60, source.load, list[int]) == [1]
        assert await cached("numbers", 60, source.load, list[int]) == [1]

    run(work)


@pytest.mark.usefixtures("redis_server")
def test_nothing_is_a_value_too() -> None:
    calls = []

    async def load() -> None:
        calls.append(1)

    async def work() -> None:
        for _ in range(3):
            await cached("nothing", 60, load, type(None))
        assert len(calls) == 1

    run(work)


@pytest.mark.usefixtures("redis_server")
def test_a_hundred_callers_at_once_are_one_computation(source: Source) -> None:
    async def work() -> None:
        answers = await asyncio.gather(*(cached("numbers", 60, source.load, list[int]) for _ in range(100)))
        assert answers == [[1]] * 100

    run(work)


def test_without_redis_a_hundred_callers_at_once_are_one_computation_too(source: Source) -> None:
    async def work() -> None:
        await asyncio.gather(*(cached("numbers", 60, source.load, list[int]) for _ in range(100)))
        assert source.calls == 1
        assert await cached("numbers", 60, source.load, list[int]) == [2]

    run(work)


@pytest.mark.usefixtures("redis_server")
def test_a_caller_who_leaves_takes_nobodys_answer_along(source: Source) -> None:
    async def work() -> None:
        first = asyncio.create_task(cached("numbers", 60, source.load, list[int]))
        second = asyncio.create_task(cached("numbers", 60, source.load, list[int]))
        await source.asked.wait()
        first.cancel()
        assert await second == [1]
        with pytest.raises(asyncio.CancelledError):
            await first

    run(work)


@pytest.mark.usefixtures("redis_server")
def test_an_error_reaches_all_who_wait_and_is_not_kept(source: Source) -> None:
    async def work() -> None:
        answers = await asyncio.gather(
            *(cached("numbers", 60, source.fail, list[int]) for _ in range(3)), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [ValueError] * 3
        assert await cached("numbers", 60, source.load, list[int]) == [2]

    run(work)


def test_redis_that_is_away_costs_one_request_a_moment_and_is_counted(
    monkeypatch: pytest.MonkeyPatch, source: Source, start_sentry: StartSentry
) -> None:
    sent = start_sentry()
    monkeypatch.setenv("REDIS_URL", RedisServer().url)

    async def work() -> None:
        for number in (1, 2, 3):
            assert await cached("numbers", 60, source.load, list[int]) == [number]

    run(work)

    assert sent.events == []
    assert delivery.report().dropped == {"filter: expected-failure": 1}


def test_redis_that_dies_and_comes_back_is_used_again(
    monkeypatch: pytest.MonkeyPatch, source: Source, start_sentry: StartSentry
) -> None:
    sent = start_sentry()
    server = RedisServer()
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("REDIS_TIMEOUT_SECONDS", "30")

    async def work() -> None:
        with server.running():
            assert await cached("numbers", 60, source.load, list[int]) == [1]
        assert await cached("numbers", 60, source.load, list[int]) == [2]
        with server.running():
            cache.forget_failures()
            assert await cached("numbers", 60, source.load, list[int]) == [3]
            assert await cached("numbers", 60, source.load, list[int]) == [3]

    run(work)

    assert sent.events == []


@pytest.mark.usefixtures("redis_server")
def test_redis_that_is_slow_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    monkeypatch.setenv("REDIS_TIMEOUT_SECONDS", "0.1")

    async def work() -> None:
        async with Redis.from_url(RedisSettings().url.get_secret_value()) as other:  # type: ignore[union-attr]
            await other.execute_command("CLIENT", "PAUSE", "60000")  # type: ignore[no-untyped-call]
        async with asyncio.timeout(30):
            assert await cached("numbers", 60, source.load, list[int]) == [1]
            assert await cached("numbers", 60, source.load, list[int]) == [2]

    run(work)


@pytest.mark.usefixtures("redis_server")
def test_no_key_value_or_password_leaves(start_sentry: StartSentry) -> None:
    sent = start_sentry(SENTRY_LOCAL_VARIABLES="false")

    async def load() -> str:
        return SECRET

    async def work() -> None:
        client = redis_client()
        with sentry_sdk.start_transaction(name="work", op="task"):
            for _ in range(2):
                await cached(f"user:{SECRET}", 60, load, str)
            await client.set(f"user:{SECRET}", SECRET)
            async with client.pipeline() as pipeline:
                pipeline.set("a", SECRET)
                pipeline.lpush("a", SECRET)
                with pytest.raises(Exception, match="LPUSH") as failure:
                    await pipeline.execute()
            sentry_sdk.capture_exception(failure.value)
            with pytest.raises(Exception, match="unknown command") as failure:
                await client.execute_command("NONSENSE", SECRET)
            sentry_sdk.capture_exception(failure.value)

    run(work)

    (transaction,) = sent.transactions
    names = [(span["op"], span["description"], span["data"].get("cache.hit")) for span in transaction["spans"]]
    assert ("cache.get", "cache.get", False) in names
    assert ("cache.get", "cache.get", True) in names
    assert ("cache.put", "cache.put", None) in names
    assert ("db", "GET", None) in names
    assert ("db", "PIPELINE", None) in names
    assert len(sent.events) == 2
    assert SECRET.encode() not in sent.raw
    assert PASSWORD.encode() not in sent.raw


def test_without_an_address_there_is_no_client() -> None:
    with pytest.raises(RedisUnavailableError, match="REDIS_URL is empty"):
        redis_client()
