"""Jobs as a part of the application: variables, routes, readiness, and work inside the process."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from app import main
from app.core.config import ConfigurationError, load_settings
from app.core.sentry.delivery import delivery
from app.extensions.jobs import extension, job
from app.extensions.jobs.broker import make_broker
from app.extensions.jobs.job import JOBS
from app.extensions.jobs.settings import JobsSettings
from tests.extensions.jobs.conftest import BACKEND, PLANTED, wait_until
from tests.extensions.jobs.planted_jobs import fails, takes
from tests.extensions.redis_server import PASSWORD, RedisServer
from tests.support import MakeApp, StartSentry


@pytest.mark.parametrize(
    "url", [f"amqp://:{PASSWORD}@localhost", f"redis://:{PASSWORD}@localhost:port", f"redis://h?nonsense={PASSWORD}"]
)
def test_a_bad_address_is_one_line_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("JOBS_BROKER_URL", url)

    with pytest.raises(ConfigurationError) as failure:
        load_settings([JobsSettings])

    assert str(failure.value).startswith("JOBS_BROKER_URL: the value is not an address like redis://")
    assert PASSWORD not in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("name", "value"), [("MODULES", "app/jobs.py"), ("CONCURRENCY", "0"), ("STOP_SECONDS", "-1"), ("STOP_SECONDS", "x")]
)
def test_a_bad_value_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"JOBS_{name}", value)

    with pytest.raises(ConfigurationError, match=f"^JOBS_{name}: [^\n]*$"):
        load_settings([JobsSettings])


@pytest.mark.parametrize(("environment", "warnings"), [("development", 0), ("production", 1)])
def test_work_inside_of_each_process_is_told_outside_development(
    environment: str,
    warnings: int,
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(main, "EXTENSIONS", (extension,))

    with TestClient(make_app(ENVIRONMENT=environment)):
        pass

    assert caplog.text.count("JOBS_BROKER_URL is empty: each process runs its own jobs") == warnings


def test_modules_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS_MODULES", "app.api.reports, app.api.invoices")

    assert JobsSettings().modules == ("app.api.reports", "app.api.invoices")


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_the_processes_need_a_broker(command: str) -> None:
    program = [sys.executable, "-m", "app.extensions.jobs", command]

    result = subprocess.run(program, cwd=BACKEND, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "JOBS_BROKER_URL: without it jobs run inside the API's process" in result.stderr


def test_a_module_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS_MODULES", "app.nowhere.reports")

    with pytest.raises(ConfigurationError, match=r"^JOBS_MODULES: there is no module app\.nowhere$"):
        make_broker(JobsSettings())


def test_without_a_broker_a_job_runs_in_the_process_and_in_the_trace_of_the_request(
    make_app: MakeApp, start_sentry: StartSentry
) -> None:
    sent = start_sentry()

    with TestClient(make_app()) as client:
        answer = client.post("/api/v1/jobs/example-report", json={"rows": 5})
        job_id = answer.json()["id"]
        wait_until(lambda: client.get(f"/api/v1/jobs/{job_id}").json()["state"] == "done")
        ready = client.get("/health/ready")

    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    assert (ready.status_code, ready.json()["checks"]["jobs"]) == (200, "ok")
    traces = {item["transaction"]: item for item in sent.transactions}
    request, run = traces["/api/v1/jobs/example-report"], traces["example-report"]
    (publish,) = [span for span in request["spans"] if span["op"] == "queue.publish"]
    assert run["contexts"]["trace"]["op"] == "task.run"
    assert run["contexts"]["trace"]["parent_span_id"] == publish["span_id"]
    assert run["contexts"]["trace"]["trace_id"] == request["contexts"]["trace"]["trace_id"]
    assert "http.route" not in run["tags"]


def test_a_job_that_fails_in_the_process_is_one_event_and_not_the_requests(
    make_app: MakeApp, start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JOBS_MODULES", PLANTED)
    sent = start_sentry()
    router = APIRouter()

    @router.get("/order")
    async def order() -> str:
        return await fails.enqueue(str(tmp_path), "word")

    with TestClient(make_app(router)) as client:
        answer = client.get("/order", headers={"user-agent": "curl/8"})
        wait_until(lambda: client.get(f"/api/v1/jobs/{answer.json()}").json()["state"] == "failed")

    (event,) = sent.events
    assert event["transaction"] == "fails"
    assert "user_agent.family" not in event["tags"]
    assert "request" not in event


def test_a_process_that_ends_does_not_wait_for_its_jobs(
    make_app: MakeApp,
    caplog: pytest.LogCaptureFixture,
    start_sentry: StartSentry,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("JOBS_MODULES", PLANTED)
    sent = start_sentry()
    caplog.set_level(logging.INFO)
    router = APIRouter()

    @router.get("/order")
    async def order() -> str:
        return await takes.enqueue(str(tmp_path), 60)

    with TestClient(make_app(router)) as client:
        client.get("/order")
        wait_until((tmp_path / "runs").exists)

    assert (tmp_path / "runs").read_text("utf-8") == "begin\n"
    assert "Job takes ends with the process" in caplog.text
    assert sent.events == []


def test_a_broker_that_is_away_is_503_and_counted(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, start_sentry: StartSentry, caplog: pytest.LogCaptureFixture
) -> None:
    sent = start_sentry()
    monkeypatch.setenv("JOBS_BROKER_URL", RedisServer().url)

    with TestClient(make_app()) as client:
        ordered = client.post("/api/v1/jobs/example-report", json={})
        asked = client.get(f"/api/v1/jobs/{'0' * 32}")
        caplog.clear()
        ready = client.get("/health/ready")

    assert (ordered.status_code, asked.status_code, ready.status_code) == (503, 503, 503)
    assert ordered.json()["detail"] == "Jobs cannot be accepted at the moment. Try again later."
    assert ready.json()["checks"]["jobs"] == "failed"
    # Probes ask every few seconds: the log gets the kind of the error and not the way to it.
    assert "The broker does not answer: ConnectionError" in caplog.text
    assert "redis/asyncio" not in caplog.text
    assert sent.events == []
    assert delivery.report().dropped["filter: expected-failure"] == 2
    assert PASSWORD.encode() not in sent.raw


@pytest.mark.usefixtures("broker")
def test_with_a_broker_the_application_is_ready_and_takes_orders(make_app: MakeApp) -> None:
    with TestClient(make_app()) as client:
        ordered = client.post("/api/v1/jobs/example-report", json={})
        asked = client.get(f"/api/v1/jobs/{ordered.json()['id']}")
        ready = client.get("/health/ready")

    assert (ordered.status_code, asked.json()["state"], ready.status_code) == (202, "pending", 200)


def test_an_id_that_is_none_is_refused(make_app: MakeApp) -> None:
    with TestClient(make_app()) as client:
        assert client.get("/api/v1/jobs/nobody").status_code == 422


def test_what_cannot_be_a_job_is_refused() -> None:
    async def nightly(day: int) -> None:
        """Need an argument that nobody gives."""

    async def quick() -> None:
        """Have a name that another job has."""

    with pytest.raises(ValueError, match="nobody gives arguments"):
        job(cron="0 3 * * *")(nightly)
    with pytest.raises(ValueError, match="no schedule"):
        job(cron="every day")(nightly)
    with pytest.raises(ValueError, match="timeout_seconds"):
        job(timeout_seconds=481)(nightly)
    JOBS.pop("quick", None)
    __import__(PLANTED)
    with pytest.raises(ValueError, match="no name for a job"):
        job()(lambda: None)


def test_pauses_double_up_to_a_minute() -> None:
    @job(retries=9, pause_seconds=2)
    async def slowly() -> None:
        """Do nothing."""

    assert [slowly.pause_after(attempt) for attempt in (1, 2, 3, 9)] == [2, 4, 8, 60]
    del JOBS["slowly"]
