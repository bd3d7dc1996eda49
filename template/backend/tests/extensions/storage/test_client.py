"""A bucket of a real server: what is stored, and what is not when something goes wrong."""

import asyncio
import hashlib
import hmac
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2
import pytest

from app.extensions.storage.client import LONGEST_LINK_TIME, ObjectStorage
from app.extensions.storage.errors import ObjectNotFoundError, StorageDownError, StorageRefusedError
from app.extensions.storage.objects import new_key
from app.extensions.storage.settings import StorageSettings
from app.extensions.storage.upload import PART_BYTES
from tests.extensions.servers import free_port
from tests.extensions.storage.conftest import BUCKET, REGION, Server, s3_server

MIB = 1024 * 1024
LARGE = 128
LARGEST_GROWTH = 64

# Prints by how many MiB the memory of a fresh process grew at most, while a large object went up and came back.
MEASURE = f"""
import asyncio, pathlib, re, resource
from app.extensions.storage.client import ObjectStorage
from app.extensions.storage.objects import new_key
from app.extensions.storage.settings import StorageSettings

def peak():
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        # Its own, where the other number begins with that of the process which started this one.
        return int(re.search("VmHWM:\\\\s+([0-9]+) kB", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

async def content():
    for number in range({LARGE}):
        yield bytes([number]) * {MIB}

async def measure():
    storage, key = ObjectStorage(StorageSettings()), new_key()
    await storage.put(key, b"first")
    before = peak()
    stored = await storage.put(key, content())
    download = await storage.get(key)
    size = 0
    async for chunk in download.chunks:
        size += len(chunk)
    assert size == stored.size == {LARGE * MIB}, size
    print((peak() - before) // {MIB})
    await storage.aclose()

asyncio.run(measure())
"""


class StopError(Exception):
    """Raised by content."""


def opened(server: Server, monkeypatch: pytest.MonkeyPatch, **changes: str) -> ObjectStorage:
    for name, value in {**server.variables, **changes}.items():
        monkeypatch.setenv(name, value)
    return ObjectStorage(StorageSettings())


@pytest.fixture
def storage(server: Server, monkeypatch: pytest.MonkeyPatch) -> ObjectStorage:
    return opened(server, monkeypatch)


async def pieces(count: int, size: int = MIB) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * size


async def endless(started: asyncio.Event) -> AsyncIterator[bytes]:
    size = 0
    while True:
        size += MIB
        if size > 2 * PART_BYTES:
            started.set()
            await asyncio.Event().wait()
        yield b"x" * MIB


async def whole(storage: ObjectStorage, key: str) -> bytes:
    return b"".join([chunk async for chunk in (await storage.get(key)).chunks])


def test_an_object_comes_back_as_it_was(storage: ObjectStorage) -> None:
    async def run() -> None:
        key = new_key()
        stored = await storage.put(key, b"content", "image/png")
        assert stored == await storage.stat(key) == (await storage.get(key)).about
        assert (stored.size, stored.content_type) == (7, "image/png")
        assert await whole(storage, key) == b"content"
        await storage.delete(key)
        assert not await storage.exists(key)
        await storage.delete(key)

    asyncio.run(run())


@pytest.mark.parametrize("count", [0, 1, 5, 6, 13])
def test_streamed_content_comes_back_whole_and_in_order(storage: ObjectStorage, count: int) -> None:
    async def run() -> None:
        key = new_key()
        stored = await storage.put(key, pieces(count))
        expected = b"".join([piece async for piece in pieces(count)])
        assert await whole(storage, key) == expected
        assert stored.size == len(expected)

    asyncio.run(run())


def test_a_large_object_needs_little_memory(server: Server) -> None:
    environment = {**os.environ, **server.variables}
    command = [sys.executable, "-c", MEASURE]
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < LARGEST_GROWTH


def test_what_is_not_there_is_not_found(storage: ObjectStorage) -> None:
    for call in (storage.get, storage.stat):
        with pytest.raises(ObjectNotFoundError):
            asyncio.run(_awaited(call(new_key())))


@pytest.mark.parametrize("count", [1, 12])
def test_content_that_raises_stores_nothing(storage: ObjectStorage, server: Server, count: int) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for piece in pieces(count):
            yield piece
        raise StopError

    async def run() -> None:
        key = new_key()
        with pytest.raises(StopError):
            await storage.put(key, broken())
        assert not await storage.exists(key)

    asyncio.run(run())
    assert server.unfinished_uploads() == ""


def test_a_cancelled_upload_leaves_nothing_behind(storage: ObjectStorage, server: Server) -> None:
    async def run() -> None:
        key = new_key()
        started = asyncio.Event()
        upload = asyncio.ensure_future(storage.put(key, endless(started)))
        await asyncio.wait_for(started.wait(), 60)
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(upload, 60)
        assert not await storage.exists(key)

    asyncio.run(run())
    assert server.unfinished_uploads() == ""


@pytest.mark.parametrize("call", ["put", "get", "stat", "exists", "delete", "check"])
def test_a_server_that_is_down_is_expected(server: Server, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    storage = opened(server, monkeypatch, STORAGE_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(StorageDownError) as caught:
        asyncio.run(_call(storage, call))

    assert caught.value.expected
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("call", ["put", "get"])
def test_a_server_that_is_silent_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    # The system takes connections for it, and nobody answers them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        storage = opened(server, monkeypatch, STORAGE_ENDPOINT_URL=address, STORAGE_TIMEOUT="0.3")

        with pytest.raises(StorageDownError):
            asyncio.run(asyncio.wait_for(_call(storage, call), 10))


def test_a_server_that_dies_during_a_download_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        key = new_key()
        with s3_server() as server:
            storage = opened(server, monkeypatch)
            await storage.put(key, pieces(64))
            download = await storage.get(key)
            assert await anext(download.chunks)
        with pytest.raises(StorageDownError):
            async for _ in download.chunks:
                pass

    asyncio.run(run())


@pytest.mark.parametrize("call", ["put", "get", "delete", "check"])
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("STORAGE_SECRET_ACCESS_KEY", "zq7canary", "SignatureDoesNotMatch"),
        ("STORAGE_ACCESS_KEY_ID", "AKIAZQ7CANARY", "InvalidAccessKeyId"),
        ("STORAGE_BUCKET", "zq7canary", "NoSuchBucket"),
    ],
)
def test_a_refusal_names_the_reason_and_nothing_else(
    server: Server, monkeypatch: pytest.MonkeyPatch, call: str, name: str, value: str, reason: str
) -> None:
    storage = opened(server, monkeypatch, **{name: value})

    with pytest.raises(StorageRefusedError) as caught:
        asyncio.run(_call(storage, call))

    assert caught.value.reason == reason
    assert not caught.value.expected
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ("call", "location", "reason"),
    [
        # So does Amazon's for a bucket of another region.
        ("put", None, "PermanentRedirect"),
        ("get", None, "PermanentRedirect"),
        ("delete", None, "PermanentRedirect"),
        ("check", None, "PermanentRedirect"),
        ("put", "http://127.0.0.1:1/", "301"),
    ],
)
def test_a_server_that_sends_us_elsewhere_refuses(
    server: Server, monkeypatch: pytest.MonkeyPatch, call: str, location: str | None, reason: str
) -> None:
    with _redirecting(location) as address:
        storage = opened(server, monkeypatch, STORAGE_ENDPOINT_URL=address)
        with pytest.raises(StorageRefusedError) as caught:
            asyncio.run(_call(storage, call))

    assert caught.value.reason == reason


def test_links_work_without_any_other_permission(storage: ObjectStorage, server: Server) -> None:
    async def run() -> None:
        key = new_key()
        upload, download = await storage.link("PUT", key), await storage.link("GET", key)
        with server.unchecked():
            httpx2.put(upload, content=b"from a browser", headers={"Content-Type": "image/png"}).raise_for_status()
            assert httpx2.get(download).content == b"from a browser"
        assert (await storage.stat(key)).content_type == "image/png"

    asyncio.run(run())


def test_a_link_is_signed_for_one_method_one_object_and_a_short_time(storage: ObjectStorage, server: Server) -> None:
    link = asyncio.run(_link(storage, "GET", "some-key", timedelta(seconds=90)))

    parts = urlsplit(link)
    query = dict(parse_qsl(parts.query))
    signature = query.pop("X-Amz-Signature")
    assert parts.path == f"/{BUCKET}/some-key"
    assert query["X-Amz-Expires"] == "90"
    assert signature == _signature(server, parts.netloc, parts.path, query)


@pytest.mark.parametrize("valid", [timedelta(0), timedelta(seconds=-1), LONGEST_LINK_TIME + timedelta(seconds=1)])
def test_no_link_is_valid_for_long(storage: ObjectStorage, valid: timedelta) -> None:
    with pytest.raises(ValueError, match="valid"):
        asyncio.run(_link(storage, "GET", new_key(), valid))


@pytest.mark.parametrize("call", ["put", "get", "stat", "delete", "link"])
@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/canary",
        "canary/",
        "a//canary",
        "../canary",
        "a/../canary",
        "a/./canary",
        "canary\0",
        "a\ncanary",
        "canary\ud800",
        "canary" * 200,
    ],
    ids=ascii,
)
def test_a_key_that_names_no_object_is_refused_and_not_repeated(storage: ObjectStorage, call: str, key: str) -> None:
    with pytest.raises(ValueError, match="the key of no object") as caught:
        asyncio.run(_call(storage, call, key))

    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_other_keys_come_back_as_they_were(storage: ObjectStorage) -> None:
    async def run() -> None:
        for key in ("a/b/..c", "".join(map(chr, range(32, 127))).replace("/", ""), "ü %2e%2e#?&", "x" * 1024):
            await storage.put(key, key.encode())
            assert await whole(storage, key) == key.encode()

    asyncio.run(run())


def test_keys_are_random_and_tell_nothing() -> None:
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key) for key in keys)


def _signature(server: Server, host: str, path: str, query: dict[str, str]) -> str:
    """Sign as https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html says."""
    date = query["X-Amz-Date"][:8]
    ordered = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
    request = f"GET\n{path}\n{ordered}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    scope = f"{date}/{REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{server.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


@contextmanager
def _redirecting(location: str | None) -> Iterator[str]:
    """Run a server that sends everybody elsewhere, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(301)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT = do_GET  # noqa: N815 the names that the base class calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        other.daemon_threads = True
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{other.server_port}"
        finally:
            other.shutdown()
            thread.join()


async def _call(storage: ObjectStorage, name: str, key: str | None = None) -> None:
    key = new_key() if key is None else key
    match name:
        case "put":
            await storage.put(key, pieces(1))
        case "link":
            await storage.link("GET", key)
        case "check":
            await storage.check()
        case _:
            await getattr(storage, name)(key)


async def _link(storage: ObjectStorage, method: Literal["GET", "PUT"], key: str, valid: timedelta) -> str:
    return await storage.link(method, key, valid)


async def _awaited(call: Awaitable[object]) -> object:
    return await call
