"""Real schedulers, and what Sentry gets to know about work that is due."""

import asyncio
import signal

import pytest
from redis import Redis
from taskiq import ScheduledTask

from app.core.sentry import check_in
from app.extensions.jobs.__main__ import schedule
from app.extensions.jobs.broker import make_broker
from app.extensions.jobs.job import JOBS
from app.extensions.jobs.lifespan import using
from app.extensions.jobs.queue import queue
from app.extensions.jobs.redis_broker import RedisBroker
from app.extensions.jobs.schedule import DeclaredSchedules, Scheduler
from app.extensions.jobs.settings import JobsSettings
from tests.extensions.jobs.conftest import STREAM, Workers, wait_until
from tests.extensions.redis_server import RedisServer
from tests.support import StartSentry

MODULES = "tests.extensions.jobs.scheduled_jobs"


def test_what_is_due_runs_and_checks_in(workers: Workers) -> None:
    with workers.running(modules=MODULES), workers.running("scheduler", modules=MODULES) as scheduler:
        wait_until(lambda: {item["status"] for item in workers.sent("check_in")} == {"in_progress", "ok", "error"})
        scheduler.send_signal(signal.SIGTERM)
        assert scheduler.wait(timeout=60) == 0

    check_ins = workers.sent("check_in")
    wrong, well = ([item for item in check_ins if item["monitor_slug"] == slug] for slug in ("goes-wrong", "goes-well"))
    assert [item["status"] for item in well][:2] == ["in_progress", "ok"]
    assert [item["status"] for item in wrong][:2] == ["in_progress", "error"]
    assert well[0]["check_in_id"] == well[1]["check_in_id"] != wrong[0]["check_in_id"] == wrong[1]["check_in_id"]
    assert well[0]["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "* * * * *"},
        "timezone": "UTC",
        "checkin_margin": 5,
        "max_runtime": 2,
    }
    assert (well[0]["environment"], well[0]["release"]) == ("development", "my-app@0.1.0+4f2c9ab01d3e")
    events = workers.sent("event")
    assert {event["transaction"] for event in events} == {"goes-wrong"}
    # Two attempts, one check-in, one event, each minute.
    assert len(events) == len([item for item in wrong if item["status"] == "error"])


def test_two_schedulers_send_what_is_due_once(workers: Workers, broker: RedisServer) -> None:
    one, other = (workers.running("scheduler", modules=MODULES) for _ in range(2))
    with one, other, Redis.from_url(broker.url) as redis:
        wait_until(lambda: redis.xlen(STREAM) >= 2)

    with Redis.from_url(broker.url) as redis:
        assert redis.xlen(STREAM) == len(redis.keys(f"{STREAM}:goes-w*"))


@pytest.mark.usefixtures("broker")
def test_a_scheduler_that_stops_sends_what_it_has_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS_MODULES", MODULES)
    sent: list[str] = []

    async def run() -> None:
        is_sending, may_go_on, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def send(name: str, **_labels: object) -> None:
            is_sending.set()
            await may_go_on.wait()
            sent.append(name)

        monkeypatch.setattr(queue, "send", send)
        made = make_broker(JobsSettings())
        assert isinstance(made, RedisBroker)
        async with using(made):
            scheduling = asyncio.create_task(schedule(made, stop))
            await asyncio.wait_for(is_sending.wait(), 60)
            stop.set()
            for _ in range(10):
                await asyncio.sleep(0)
            assert not scheduling.done()
            may_go_on.set()
            await scheduling

    asyncio.run(run())

    assert sorted(sent) == ["goes-well", "goes-wrong"]


def test_a_scheduler_waits_for_its_broker(workers: Workers) -> None:
    other = RedisServer()
    workers.url = other.url
    with workers.running("scheduler", modules=MODULES), other.running(), Redis.from_url(other.url) as redis:
        wait_until(lambda: redis.xlen(STREAM) >= 2)

    assert workers.sent("event") == []


def test_schedules_of_the_code_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS_MODULES", MODULES)
    make_broker(JobsSettings())

    schedules = {task.task_name: task.cron for task in asyncio.run(DeclaredSchedules().get_schedules())}

    assert schedules["goes-well"] == "* * * * *"
    assert set(schedules) == {job.name for job in JOBS.values() if job.cron}


def test_without_a_broker_what_is_due_runs_in_the_process(
    monkeypatch: pytest.MonkeyPatch, start_sentry: StartSentry
) -> None:
    monkeypatch.setenv("JOBS_MODULES", MODULES)
    sent = start_sentry()

    async def run() -> None:
        broker = make_broker(JobsSettings())
        async with using(broker):
            task = ScheduledTask(
                task_name="goes-well", labels={}, args=[], kwargs={}, schedule_id="goes-well", cron="* * * * *"
            )
            await Scheduler(broker).on_ready(DeclaredSchedules(), task)
            await broker.wait_all()  # type: ignore[union-attr]

    asyncio.run(run())

    assert [item["status"] for item in sent.items("check_in")] == ["in_progress", "ok"]
    assert [item["transaction"] for item in sent.transactions] == ["goes-well"]


def test_without_sentry_nothing_is_checked_in() -> None:
    assert check_in("nightly", "in_progress", crontab="0 3 * * *", longest_minutes=1) is None
