"""Real workers, a real broker and a server that takes what they report."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from importlib import import_module
from pathlib import Path

import pytest
import sentry_sdk
from fastapi import FastAPI
from redis import Redis

from app.core.extension import Extension
from app.extensions.jobs import __main__ as process
from app.extensions.jobs.broker import make_broker
from app.extensions.jobs.job import Job
from app.extensions.jobs.lifespan import using
from app.extensions.jobs.queue import queue
from app.extensions.jobs.redis_broker import RedisBroker
from app.extensions.jobs.settings import JobsSettings
from tests.extensions.jobs.conftest import STREAM, Workers, wait_until
from tests.extensions.jobs.planted_jobs import counts, fails, fails_once, hangs, in_a_thread, quick, takes
from tests.extensions.redis_server import RedisServer
from tests.support import PRODUCTION, RELEASE, LoadSettings, StartSentry, values

SECRET = "blue horse of Anna"


def enqueue(job: "Job[...]", *args: object) -> str:
    """Send a job as the API does."""

    async def send() -> str:
        async with using(make_broker(JobsSettings())):
            return await job.enqueue(*args)

    return asyncio.run(send())


def state_of(job_id: str) -> str:
    """Ask as the API does."""

    async def ask() -> str:
        async with using(make_broker(JobsSettings())):
            return await queue.state(job_id)

    return asyncio.run(ask())


@pytest.mark.usefixtures("broker")
def test_a_worker_opens_extensions_as_the_api_does(load: LoadSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[object] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        steps.append((app.state.settings.app.environment, app.state.release))
        os.kill(os.getpid(), signal.SIGTERM)
        yield
        steps.append("closed")

    monkeypatch.setattr(process, "EXTENSIONS", (Extension("other", lifespan=lifespan), Extension("plain")))

    asyncio.run(process.run("worker", process.describe_process(load(), RELEASE)))

    assert steps == [("development", RELEASE), "closed"]


def test_a_job_runs_in_the_trace_of_who_asked_for_it(
    workers: Workers, tmp_path: Path, start_sentry: StartSentry
) -> None:
    sent = start_sentry()
    with sentry_sdk.start_transaction(name="request", op="http.server") as request:
        job_id = enqueue(quick, str(tmp_path), SECRET)

    with workers.running():
        wait_until(lambda: workers.sent("transaction"))
        wait_until(lambda: state_of(job_id) == "done")

    (transaction,) = workers.sent("transaction")
    (publish,) = [span for span in sent.transactions[0]["spans"] if span["op"] == "queue.publish"]
    trace = transaction["contexts"]["trace"]
    assert workers.runs == [f"quick {len(SECRET)}"]
    assert (transaction["transaction"], trace["op"]) == ("quick", "task.run")
    assert (trace["trace_id"], trace["parent_span_id"]) == (request.trace_id, publish["span_id"])
    assert publish["description"] == "quick"
    assert trace["data"]["messaging.message.id"] == publish["data"]["messaging.message.id"] == job_id
    assert transaction["tags"] == {"job": "quick", "job.attempt": 1}
    assert transaction["release"] == "my-app@0.1.0+4f2c9ab01d3e"


def test_outside_development_the_trace_of_the_own_organization_goes_on(
    workers: Workers, tmp_path: Path, start_sentry: StartSentry
) -> None:
    variables = {**PRODUCTION, "SENTRY_ORG_ID": "5", "SENTRY_TRACES_SAMPLE_RATE": "1"}
    start_sentry(**variables)
    with sentry_sdk.start_transaction(name="request", op="http.server") as request:
        enqueue(quick, str(tmp_path), SECRET)

    with workers.running(**variables):
        wait_until(lambda: workers.sent("transaction"))

    assert workers.sent("transaction")[0]["contexts"]["trace"]["trace_id"] == request.trace_id
    assert workers.sent("transaction")[0]["environment"] == "production"


def test_arguments_arrive_as_the_types_of_the_function(workers: Workers, tmp_path: Path) -> None:
    enqueue(counts, str(tmp_path), "17")

    with workers.running():
        wait_until(lambda: workers.runs)

    assert workers.runs == ["int 17"]


def test_only_the_last_of_several_attempts_is_an_error(workers: Workers, tmp_path: Path) -> None:
    job_id = enqueue(fails, str(tmp_path), SECRET)

    with workers.running():
        wait_until(lambda: state_of(job_id) == "failed")

    (event,) = workers.sent("event")
    attempts = sorted(
        (transaction["tags"]["job.attempt"], transaction["contexts"]["trace"]["status"])
        for transaction in workers.sent("transaction")
    )
    assert workers.runs == ["fails"] * 3
    assert attempts == [(1, "internal_error"), (2, "internal_error"), (3, "internal_error")]
    assert len({transaction["contexts"]["trace"]["trace_id"] for transaction in workers.sent("transaction")}) == 1
    assert values(event)[0]["type"] == "ValueError"
    assert values(event)[0]["mechanism"] == {"type": "taskiq", "handled": False}
    assert (event["tags"]["job"], event["tags"]["job.attempt"]) == ("fails", 3)
    assert event["transaction"] == "fails"
    assert [frame["function"] for frame in values(event)[0]["stacktrace"]["frames"]] == ["fails"]


def test_a_job_that_succeeds_in_the_end_is_no_error(workers: Workers, tmp_path: Path) -> None:
    job_id = enqueue(fails_once, str(tmp_path))

    with workers.running():
        wait_until(lambda: state_of(job_id) == "done")

    assert workers.runs == ["once", "once"]
    assert workers.sent("event") == []
    assert "Job fails-once failed in attempt 1 and is tried again: ValueError" in workers.log
    assert "the first time" not in workers.log


def test_a_job_in_a_thread_fails_like_any_other(workers: Workers, tmp_path: Path) -> None:
    job_id = enqueue(in_a_thread, str(tmp_path), SECRET)

    with workers.running():
        wait_until(lambda: state_of(job_id) == "failed")

    (event,) = workers.sent("event")
    assert [frame["function"] for frame in values(event)[0]["stacktrace"]["frames"]] == ["in_a_thread"]


def test_a_job_that_takes_too_long_is_ended(workers: Workers, tmp_path: Path) -> None:
    job_id = enqueue(hangs, str(tmp_path), SECRET)

    with workers.running():
        wait_until(lambda: state_of(job_id) == "failed")

    (event,) = workers.sent("event")
    assert (values(event)[-1]["type"], values(event)[-1]["value"]) == ("TimeoutError", "hangs took longer than 0.2 s")


def test_arguments_never_leave(workers: Workers, tmp_path: Path, broker: RedisServer) -> None:
    planted: list[Job[...]] = [fails, in_a_thread, hangs, quick]
    job_ids = [enqueue(job, str(tmp_path), SECRET) for job in planted]

    with workers.running(**PRODUCTION, SENTRY_TRACES_SAMPLE_RATE="1", SENTRY_LOGS="true"):
        wait_until(lambda: all(state_of(job_id) != "pending" for job_id in job_ids))

    assert {transaction["transaction"] for transaction in workers.sent("transaction")} == {job.name for job in planted}
    assert len(workers.sent("event")) == 3
    assert workers.sent("log")
    assert SECRET.encode() not in workers.raw
    assert SECRET not in workers.log
    assert broker.url.encode() not in workers.raw


def test_a_stopping_worker_ends_its_job_first(workers: Workers, tmp_path: Path) -> None:
    job_id = enqueue(takes, str(tmp_path), 60)

    with workers.running() as process:
        wait_until(lambda: workers.runs == ["begin"])
        process.send_signal(signal.SIGTERM)
        (tmp_path / "stop").touch()
        assert process.wait(timeout=60) == 0

    assert workers.runs == ["begin", "end"]
    assert state_of(job_id) == "done"
    assert [transaction["transaction"] for transaction in workers.sent("transaction")] == ["takes"]


@pytest.mark.usefixtures("broker")
def test_a_worker_stops_in_whatever_moment_it_is_told_to() -> None:
    async def listen_until(turns: int, made: RedisBroker) -> None:
        messages = made.listen()
        waiting = asyncio.ensure_future(anext(messages))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        done, _ = await asyncio.wait({waiting}, timeout=60)
        assert done, f"told to stop after {turns} turns of the loop, it went on"
        await asyncio.gather(waiting, return_exceptions=True)
        await messages.aclose()

    async def listen() -> None:
        made = make_broker(JobsSettings())
        assert isinstance(made, RedisBroker)
        made.block = 50
        async with using(made):
            for turns in range(100):
                await listen_until(turns, made)

    asyncio.run(listen())


@pytest.mark.usefixtures("broker")
def test_a_worker_stops_also_when_a_failure_of_redis_takes_the_place_of_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = asyncio.Event()

    async def fail_instead(*_: object) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            # As asyncio.wait_for does until Python 3.12, when what it waits for fails in that moment.
            raise ConnectionResetError from None

    async def listen() -> None:
        made = make_broker(JobsSettings())
        assert isinstance(made, RedisBroker)
        async with using(made):
            messages = made.listen()
            waiting = asyncio.ensure_future(anext(messages))
            await asyncio.wait_for(begun.wait(), 60)
            waiting.cancel()
            done, _ = await asyncio.wait({waiting}, timeout=60)
            assert done
            await asyncio.gather(waiting, return_exceptions=True)
            await messages.aclose()

    monkeypatch.setattr(RedisBroker, "_left_behind", fail_instead)
    asyncio.run(listen())


def test_a_job_that_a_stopping_worker_cannot_wait_for_goes_back_into_the_queue(
    workers: Workers, tmp_path: Path
) -> None:
    job_id = enqueue(takes, str(tmp_path), 60)

    with workers.running(JOBS_STOP_SECONDS="0.2") as process:
        wait_until(lambda: workers.runs == ["begin"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert state_of(job_id) == "pending"
    (tmp_path / "stop").touch()
    with workers.running():
        wait_until(lambda: state_of(job_id) == "done")

    assert workers.runs == ["begin", "begin", "end"]
    assert workers.sent("event") == []
    assert [transaction["tags"]["job.attempt"] for transaction in workers.sent("transaction")] == [1, 1]


def test_a_broker_that_goes_and_comes_back_stops_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: RedisServer, workers: Workers
) -> None:
    other = RedisServer()
    workers.url = other.url
    monkeypatch.setenv("JOBS_BROKER_URL", other.url)

    with other.running() as redis, workers.running() as process:
        job_id = enqueue(counts, str(tmp_path), 1)
        wait_until(lambda: state_of(job_id) == "done")
        redis.terminate()
        redis.wait(timeout=60)
        with other.running():
            job_id = enqueue(counts, str(tmp_path), 2)
            wait_until(lambda: state_of(job_id) == "done")
            process.terminate()
            assert process.wait(timeout=60) == 0

    assert workers.sent("event") == []
    assert "The broker does not answer, the worker waits for it" in workers.log
    assert broker.port != other.port


def test_a_worker_that_starts_before_its_broker_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: Workers
) -> None:
    other = RedisServer()
    workers.url = other.url
    monkeypatch.setenv("JOBS_BROKER_URL", other.url)

    with workers.running(), other.running():
        enqueue(counts, str(tmp_path), 1)
        wait_until(lambda: workers.runs == ["int 1"])

    assert workers.sent("event") == []


def test_a_message_that_is_no_job_is_thrown_away_and_told_of_without_its_text(
    workers: Workers, broker: RedisServer, tmp_path: Path
) -> None:
    wrong = {"task_id": "1", "task_name": "quick", "labels": SECRET, "args": [SECRET], "kwargs": {}}
    with workers.running(SENTRY_LOGS="true"), Redis.from_url(broker.url) as redis:
        for poison in (SECRET.encode(), json.dumps(wrong).encode(), b"\xff\xfe" + SECRET.encode()):
            redis.xadd(STREAM, {"data": poison})
        redis.xadd(STREAM, {"other": SECRET})
        enqueue(counts, str(tmp_path), 2)
        wait_until(lambda: workers.runs == ["int 2"])
        wait_until(lambda: redis.xlen(STREAM) == 0)

    messages = [event["message"] for event in workers.sent("event")]
    assert messages == ["A message in the queue is no job; it was thrown away"] * 4
    assert SECRET.encode() not in workers.raw
    assert SECRET not in workers.log


def test_strange_labels_do_no_harm(workers: Workers, broker: RedisServer, tmp_path: Path) -> None:
    strange: list[dict[str, object]] = [
        {"attempt": "many", "trace": [1], "sent_at": "yesterday", "check_in_id": 5, "scheduled": "no"},
        {"attempt": -3, "trace": {"sentry-trace": SECRET, "baggage": [SECRET]}, "timeout": "soon"},
    ]
    with workers.running(), Redis.from_url(broker.url) as redis:
        for labels in strange:
            message = {"task_id": "1", "task_name": "counts", "labels": labels, "kwargs": {}}
            redis.xadd(STREAM, {"data": json.dumps({**message, "args": [str(tmp_path), 1]})})
        wait_until(lambda: workers.runs == ["int 1", "int 1"])

    assert workers.sent("event") == []
    assert SECRET.encode() not in workers.raw


def test_arguments_that_do_not_fit_fail_the_job_and_stay_inside(
    workers: Workers, broker: RedisServer, tmp_path: Path
) -> None:
    message = {"task_id": "1", "task_name": "counts", "labels": {}, "args": [str(tmp_path)], "kwargs": {"x": SECRET}}
    with workers.running(SENTRY_LOGS="true"), Redis.from_url(broker.url) as redis:
        redis.xadd(STREAM, {"data": json.dumps(message)})
        wait_until(lambda: workers.sent("event"))

    (event,) = workers.sent("event")
    assert values(event)[-1]["type"] == "TypeError"
    assert SECRET.encode() not in workers.raw
    assert SECRET not in workers.log


def test_a_job_that_no_worker_knows_waits_for_one_that_does(
    workers: Workers, broker: RedisServer, tmp_path: Path
) -> None:
    job_id = enqueue(counts, str(tmp_path), 1)
    with workers.running(modules="app.extensions.jobs.examples"), Redis.from_url(broker.url) as redis:
        wait_until(lambda: [group["pending"] for group in redis.xinfo_groups(STREAM)] == [1])

    assert state_of(job_id) == "pending"
    assert workers.runs == []


def test_a_finished_job_leaves_nothing_in_the_queue(workers: Workers, broker: RedisServer, tmp_path: Path) -> None:
    enqueue(quick, str(tmp_path), SECRET)

    with workers.running(), Redis.from_url(broker.url) as redis:
        wait_until(lambda: workers.runs)
        wait_until(lambda: redis.xlen(STREAM) == 0)
        assert redis.xpending(STREAM, "workers")["pending"] == 0
        assert all(
            SECRET.encode() not in (redis.get(key) or b"") for key in redis.keys(f"{STREAM.removesuffix('s')}:*")
        )


def test_what_a_dead_worker_left_behind_is_delivered_to_another(
    broker: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("app.extensions.jobs.broker"), "REDELIVERY_SECONDS", 0.2)
    enqueue(counts, str(tmp_path), 1)

    async def receive() -> bytes:
        made = make_broker(JobsSettings())
        assert isinstance(made, RedisBroker)
        async with using(made), aclosing(made.listen()) as messages:
            return (await asyncio.wait_for(anext(messages), 60)).data

    first, second = (asyncio.run(receive()) for _ in range(2))

    assert first == second
    with Redis.from_url(broker.url) as redis:
        assert [group["pending"] for group in redis.xinfo_groups(STREAM)] == [1]
