"""The example routes with a real server, and what Sentry gets of them."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from app.extensions.storage import routes
from app.extensions.storage.access import storage
from app.extensions.storage.objects import new_key
from tests.extensions.servers import free_port
from tests.extensions.storage.conftest import BUCKET, Server
from tests.support import MakeApp, Sent, StartSentry, values

CANARY = "zq7canary"
API = "/api/v1/storage"
PNG = {"Content-Type": "image/png"}

Answer = dict[str, Any]


class Caller:
    """Starts the application with variables, and asks it."""

    def __init__(self, make_app: MakeApp, server: Server) -> None:
        self._make_app = make_app
        self._server = server

    @contextmanager
    def __call__(self, router: APIRouter | None = None, **changes: str) -> Iterator[TestClient]:
        app = self._make_app(router, **{**self._server.variables, **changes})
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


@pytest.fixture
def started(make_app: MakeApp, server: Server) -> Caller:
    return Caller(make_app, server)


def test_an_upload_comes_back_as_a_file_that_no_browser_runs(started: Caller) -> None:
    with started() as client:
        stored = client.post(f"{API}/objects", content=b"picture", headers=PNG).json()
        answer = client.get(f"{API}/objects/{stored['key']}")
        deleted = client.delete(f"{API}/objects/{stored['key']}")
        gone = client.get(f"{API}/objects/{stored['key']}")

    assert (stored["size"], stored["content_type"]) == (7, "image/png")
    assert (answer.content, answer.headers["content-type"]) == (b"picture", "image/png")
    assert answer.headers["content-length"] == "7"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (deleted.status_code, gone.status_code) == (204, 404)


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "", "image/png2"])
def test_what_a_browser_runs_is_refused(started: Caller, kind: str) -> None:
    with started() as client:
        answer = client.post(f"{API}/objects", content=b"<script>", headers={"Content-Type": kind})

    assert answer.status_code == 415


def test_a_long_upload_is_refused_before_it_arrives(started: Caller) -> None:
    headers = {**PNG, "Content-Length": str(routes.LARGEST_UPLOAD + 1)}
    with started() as client:
        assert client.post(f"{API}/objects", content=b"", headers=headers).status_code == 413


@pytest.mark.parametrize("limit", [100, 6 * 1024 * 1024])
def test_a_long_upload_of_unknown_length_is_refused_as_well(
    started: Caller, server: Server, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(routes, "LARGEST_UPLOAD", limit)
    with started() as client:
        answer = client.post(f"{API}/objects", content=(b"x" * 1024 for _ in range(limit // 1024 + 1)), headers=PNG)

    assert answer.status_code == 413
    assert server.unfinished_uploads() == ""


def test_keys_of_callers_are_refused(started: Caller) -> None:
    with started() as client:
        assert client.get(f"{API}/objects/..%2Fsecret").status_code in {404, 422}
        assert client.get(f"{API}/objects/name.png").status_code == 422


def test_links_store_and_read_without_the_api(started: Caller, server: Server) -> None:
    with started() as client, server.unchecked():
        upload = client.post(f"{API}/uploads").json()
        httpx2.put(upload["url"], content=b"direct").raise_for_status()
        link = client.post(f"{API}/objects/{upload['key']}/link").json()
        missing = client.post(f"{API}/objects/{uuid4()}/link")

        assert httpx2.get(link["url"]).content == b"direct"
    assert (upload["method"], link["method"], link["expires_in"]) == ("PUT", "GET", 300)
    assert missing.status_code == 404


def test_without_configuration_the_routes_say_so(make_app: MakeApp, start_sentry: StartSentry) -> None:
    sent = start_sentry()
    with TestClient(make_app(), raise_server_exceptions=False) as client:
        answer = client.post(f"{API}/uploads")
        ready = client.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["detail"] == "The object storage is not configured."
    assert (ready.status_code, ready.json()["checks"]["storage"]) == (200, "ok")
    assert sent.events == []


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"ENVIRONMENT": "production"}, 403),
        ({"ENVIRONMENT": "staging"}, 403),
        ({"ENVIRONMENT": "production", "STORAGE_ROUTES": "open"}, 201),
        ({"STORAGE_ROUTES": "closed"}, 403),
        ({}, 201),
    ],
)
def test_the_routes_are_open_in_development_alone(started: Caller, variables: dict[str, str], status: int) -> None:
    with started(None, **variables) as client:
        assert client.post(f"{API}/uploads").status_code == status


def test_a_storage_that_is_down_is_counted_and_not_reported(started: Caller, start_sentry: StartSentry) -> None:
    sent = start_sentry()
    with started(STORAGE_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}") as client:
        answer = client.post(f"{API}/objects", content=b"x", headers=PNG)
        ready = client.get("/health/ready")
        dropped = client.get("/health/sentry").json()["dropped"]

    assert (answer.status_code, answer.json()["detail"]) == (503, "The object storage does not answer.")
    assert (ready.status_code, ready.json()["checks"]["storage"]) == (503, "failed")
    assert sent.events == []
    assert [count for reason, count in dropped.items() if "expected-failure" in reason] == [1]


def test_a_refusal_is_reported_without_keys(started: Caller, start_sentry: StartSentry) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    with started(STORAGE_SECRET_ACCESS_KEY=CANARY) as client:
        answer = client.post(f"{API}/objects", content=CANARY.encode(), headers=PNG)
        ready = client.get("/health/ready")

    (event,) = sent.events
    (error,) = values(event)
    assert (answer.status_code, ready.status_code) == (503, 503)
    assert (error["type"], answer.json()["event_id"]) == ("StorageRefusedError", event["event_id"])
    assert "SignatureDoesNotMatch" in error["value"]
    assert CANARY.encode() not in sent.raw


def test_calls_are_spans_without_keys_and_contents(started: Caller, server: Server, start_sentry: StartSentry) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    with started() as client:
        key = client.post(f"{API}/objects", content=CANARY.encode(), headers=PNG).json()["key"]
        client.post(f"{API}/uploads")

    upload, link = ([span for span in row["spans"] if span["op"].startswith("storage.")] for row in sent.transactions)
    assert [(span["op"], span["description"]) for span in upload] == [("storage.put", f"storage.put {BUCKET}")]
    assert upload[0]["data"]["storage.bucket"] == BUCKET
    assert upload[0]["data"]["storage.size"] == len(CANARY)
    assert [span["op"] for span in link] == ["storage.link"]
    for secret in (CANARY, key, server.secret, server.key_id):
        assert secret.encode() not in sent.raw


def test_no_piece_of_a_content_leaves(started: Caller, start_sentry: StartSentry) -> None:
    router = APIRouter()

    async def content(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield CANARY.encode() * 100_000
        raise RuntimeError("The content broke")

    @router.post("/upload")
    async def upload(count: int) -> None:
        await storage().put(new_key(), content(count))

    @router.post("/download")
    async def download() -> None:
        key = new_key()
        await storage().put(key, CANARY.encode())
        async for chunk in (await storage().get(key)).chunks:
            raise RuntimeError(f"It broke after {len(chunk)}")

    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1", SENTRY_LOCAL_VARIABLES="true", SENTRY_LOGS="true")
    with started(router) as client:
        # Shorter than a part, and of several.
        for path in ("/upload?count=1", "/upload?count=13", "/download"):
            assert client.post(path).status_code == 500

    assert len(sent.events) == 3
    assert CANARY.encode() not in sent.raw


def test_a_link_never_leaves(started: Caller, server: Server, start_sentry: StartSentry) -> None:
    router = APIRouter()
    signatures = []

    @router.get("/broken")
    async def broken() -> None:
        url = await storage().link("GET", new_key())
        signatures.append(url.rpartition("=")[2])
        logging.getLogger("app").warning("Made %s", url)
        raise RuntimeError(url)

    sent: Sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1", SENTRY_LOCAL_VARIABLES="true", SENTRY_LOGS="true")
    with started(router) as client:
        assert client.get("/broken").status_code == 500

    (signature,) = signatures
    assert len(signature) == 64
    assert sent.events
    for secret in (signature, server.secret, server.key_id):
        assert secret.encode() not in sent.raw
