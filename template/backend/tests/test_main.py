"""The composition root: the application with an extension, from start to stop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import main
from app.core.contracts import project
from app.core.extension import Extension
from app.core.sentry import capture_message
from tests.support import MakeApp, StartSentry


def test_extensions_start_in_order_and_stop_in_reverse(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def extension(name: str) -> Extension:
        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            steps.append(f"start {name}")
            yield
            steps.append(f"stop {name}")

        return Extension(name, lifespan=lifespan)

    monkeypatch.setattr(main, "EXTENSIONS", (extension("database"), Extension("plain"), extension("jobs")))

    with TestClient(make_app()):
        steps.append("serve")

    assert steps == ["start database", "start jobs", "serve", "stop jobs", "stop database"]


def test_a_stopping_application_sends_what_is_left(
    make_app: MakeApp, start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[bool] = []
    monkeypatch.setattr(main, "flush", lambda: flushed.append(True))
    start_sentry()

    with TestClient(make_app()):
        capture_message("about to stop")
        assert flushed == []

    assert flushed == [True]


def test_the_documentation_has_the_name_of_the_project(client: TestClient) -> None:
    assert client.get("/docs").status_code == 200
    assert client.get("/openapi.json").json()["info"]["title"] == project().name
