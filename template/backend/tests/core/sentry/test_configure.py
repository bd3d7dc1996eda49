"""Starting Sentry, or leaving everything alone."""

import asyncio
import gc
import logging
import os
import socket
import subprocess
import sys
from typing import Any

import pytest
import sentry_sdk
from fastapi.testclient import TestClient
from sentry_sdk.utils import event_from_exception

from app.core import sentry
from app.core.contracts import ROOT
from app.core.sentry import configure_sentry
from tests.support import DSN, PRODUCTION, RELEASE, LoadSettings, MakeApp, RecordingTransport, StartSentry, values

PRINT_STATE = """
import json, logging, sys
import app.main, sentry_sdk
from sentry_sdk.integrations import _installed_integrations
json.dump([sentry_sdk.get_client().is_active(), sorted(_installed_integrations),
           logging.Logger.callHandlers.__module__], sys.stdout)
"""


def run_app(program: str = PRINT_STATE, **variables: str) -> subprocess.CompletedProcess[str]:
    """Import the application in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "backend",
        env={**os.environ, "SENTRY_RELEASE": RELEASE, **variables},
        capture_output=True,
        text=True,
        check=True,
    )


def test_without_a_dsn_nothing_of_the_sdk_is_set_up() -> None:
    process = run_app(SENTRY_DSN="")

    assert process.stdout == '[false, [], "logging"]'
    assert "Sentry is off: SENTRY_DSN is empty" in process.stderr


def test_one_line_says_how_sentry_was_started() -> None:
    process = run_app(SENTRY_DSN="http://public@127.0.0.1:9/1", **PRODUCTION)

    assert f"Sentry initialized | environment=production, traces_sample_rate=0.1, release={RELEASE}" in process.stderr
    for fact in ("profiles_sample_rate=0.1", "local_variables=False", "request_bodies=False", "diagnostics=closed"):
        assert fact in process.stderr
    assert process.stdout.startswith("[true")
    assert "public" not in process.stderr


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", False)])
def test_the_sdk_tells_what_it_does_on_demand(value: str, expected: bool) -> None:
    process = run_app(SENTRY_DSN="http://public@127.0.0.1:9/1", SENTRY_DEBUG=value)

    assert ("[sentry]" in process.stderr) is expected
    assert "public" not in process.stderr


def test_the_tunnel_is_named_also_without_a_dsn() -> None:
    assert "tunnel=on" in run_app(SENTRY_DSN="", VITE_SENTRY_DSN="http://public@127.0.0.1:9/2").stderr


def test_an_error_that_was_reported_is_not_even_built_when_it_is_logged(
    start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    build = event_from_exception

    def count(*arguments: Any, **options: Any) -> Any:
        built.append(arguments)
        return build(*arguments, **options)

    monkeypatch.setattr("sentry_sdk.integrations.logging.event_from_exception", count)
    sent = start_sentry()

    for text in ("reported", "new"):
        try:
            raise ValueError(text)
        except ValueError as error:
            if text == "reported":
                sentry.capture_exception(error)
            logging.getLogger("server").exception("as a server does")

    assert len(sent.events) == 2
    assert len(built) == 1


def test_envelopes_are_sent_without_delay(start_sentry: StartSentry) -> None:
    start_sentry()

    options = sentry_sdk.get_client().options
    assert options["keep_alive"]
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options["socket_options"]


def test_a_message_has_a_stack(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    sentry.capture_message("where am I")

    assert sent.events[0]["threads"]["values"][0]["stacktrace"]["frames"]


def test_a_server_that_is_away_is_not_reported_for_each_envelope() -> None:
    send = PRINT_STATE + "sentry_sdk.capture_message('lost'); sentry_sdk.flush(5)"
    process = run_app(send, SENTRY_DSN="http://public@127.0.0.1:9/1")

    assert "Retrying" not in process.stderr


def test_the_integrations_are_the_ones_that_were_named(start_sentry: StartSentry) -> None:
    start_sentry()

    assert sorted(sentry_sdk.get_client().integrations) == [
        "atexit",
        "dedupe",
        "excepthook",
        "fastapi",
        "httpx2",
        "logging",
        "starlette",
        "stdlib",
        "threading",
    ]


def test_an_extension_names_integrations(load: LoadSettings) -> None:
    configure_sentry(
        load(SENTRY_DSN=DSN), RELEASE, integrations=["socket.SocketIntegration"], transport=RecordingTransport
    )

    assert "socket" in sentry_sdk.get_client().integrations


def test_variables_of_the_sdk_do_not_change_anything(start_sentry: StartSentry) -> None:
    start_sentry(SENTRY_SPOTLIGHT="true")

    assert sentry_sdk.get_client().spotlight is None


async def fail() -> None:
    raise RuntimeError("in the background")


def test_a_task_that_fails_and_is_awaited_by_nobody_is_reported(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task
        # Python says so when it deletes the task.
        gc.collect()

    asyncio.run(main())

    [event] = sent.events
    assert event["logger"] == "asyncio"
    assert values(event)[-1]["value"] == "in the background"


def test_a_task_whose_failure_is_handled_is_not_reported(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    async def main() -> None:
        results = await asyncio.gather(fail(), fail(), return_exceptions=True)
        assert [type(result) for result in results] == [RuntimeError, RuntimeError]

    asyncio.run(main())

    assert sent.events == []


def test_an_error_with_the_full_stack_is_sent(start_sentry: StartSentry) -> None:
    sent = start_sentry(options={"add_full_stack": True})

    try:
        raise ValueError("far down")
    except ValueError as error:
        sentry.capture_exception(error)

    assert values(sent.events[0])[0]["value"] == "far down"


@pytest.mark.parametrize(("environment", "expected"), [("development", True), ("production", False)])
def test_local_variables_are_sent_where_the_policy_says_so(
    environment: str, expected: bool, start_sentry: StartSentry, make_app: MakeApp
) -> None:
    sent = start_sentry(SENTRY_ENVIRONMENT=environment, SENTRY_DIAGNOSTICS_TOKEN="x" * 16)

    TestClient(make_app(), raise_server_exceptions=False).get(
        "/api/v1/sentry-test/division", headers={"Authorization": "Bearer " + "x" * 16}
    )

    frame = sent.events[0]["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert ("vars" in frame) is expected
    assert frame["context_line"].strip() == "return dividend / divisor"


def test_requests_are_profiled_where_the_policy_says_so(start_sentry: StartSentry, client: TestClient) -> None:
    sent = start_sentry(SENTRY_PROFILES_SAMPLE_RATE="1")

    client.get("/api/v1/sentry-test/slow?seconds=0.2")

    [transaction] = sent.transactions
    assert transaction["contexts"]["profile"]["profiler_id"]
    assert sent.wait_for("profile_chunk")
