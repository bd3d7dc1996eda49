"""The composition root: the application with its extensions, and the description of its API."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import main
from app.core.contracts import CONTRACTS, ROOT, project
from app.core.extension import Extension
from app.core.sentry import capture_message
from app.main import app
from app.openapi import PATH, describe
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


def test_the_document_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == describe(app), "contracts/openapi.json is stale: run make openapi"


def test_the_document_does_not_depend_on_the_release() -> None:
    assert json.loads(describe(app))["info"]["version"] == "1"


def test_every_operation_declares_its_problems_and_has_a_name_of_its_own() -> None:
    operations = [operation for path in app.openapi()["paths"].values() for operation in path.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["responses"]["default"]["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }


def test_the_command_writes_the_document() -> None:
    before = PATH.read_bytes()

    subprocess.run([sys.executable, "-m", "app.openapi"], cwd=ROOT / "backend", check=True, capture_output=True)

    assert PATH.read_bytes() == before
    assert PATH.parent == CONTRACTS
