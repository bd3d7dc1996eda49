"""Several processes of a real server count together."""

import contextlib
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.config import ConfigurationError
from app.extensions.prometheus.workers import Workers, shared_folder
from tests.extensions.prometheus.samples import Samples
from tests.extensions.servers import free_port, running_program
from tests.support import receiving

BACKEND = Path(__file__).parents[3]
SECONDS = 120
# How long uvicorn waits for a worker's answer: a busy one must not be killed, and one that is dead must be found out.
SILENCE = 20
WORKERS = 2


class Server:
    """A uvicorn with two workers."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[str] | None = None

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.address + path, timeout=SECONDS) as answer:  # noqa: S310 our own server
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def answers(self, temporary: Path) -> bool:
        # One may answer while the other is still starting and counts nothing.
        if len(list(temporary.rglob("worker-*.lock"))) < WORKERS:
            return False
        with contextlib.suppress(OSError):
            return self.get("/health/live")[0] == 200
        return False

    def let_all_count(self, temporary: Path) -> None:
        """Ask until each worker has answered at least once: which one does is the system's choice."""
        deadline = time.monotonic() + SECONDS
        while len(list(temporary.rglob("counter_*.db"))) < WORKERS:
            assert time.monotonic() < deadline
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(self.get, ["/api/v1/sentry-test/slow?seconds=0.1"] * 4))

    def read(self) -> Samples:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return Samples.parse(self.get("/metrics")[1])
            except OSError:
                # A worker that is killed takes the connections with it that it had accepted.
                assert time.monotonic() < deadline

    def wait(self, agrees: Callable[[Samples], bool]) -> Samples:
        deadline = time.monotonic() + SECONDS
        found = self.read()
        while not agrees(found) and time.monotonic() < deadline:
            time.sleep(0.05)
            found = self.read()
        assert agrees(found), found
        return found

    def workers(self) -> list[int]:
        """The processes that serve, without the one that only looks after semaphores."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii").split()
        return [int(child) for child in children if b"spawn_main" in _command_line(child)]


@contextmanager
def serving(temporary: Path, *, silence: int = SILENCE, **variables: str) -> Iterator[Server]:
    port = free_port()
    server = Server(port)
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port), "--workers", str(WORKERS)]
    command += ["--timeout-worker-healthcheck", str(silence)]
    # As in the image: the only folder that can be written is the temporary one.
    environment = {"SENTRY_DSN": "", "ENVIRONMENT": "development", "TMPDIR": str(temporary), **variables}
    with running_program(
        [*command, "--app-dir", str(BACKEND)], is_ready=lambda: server.answers(temporary), environment=environment
    ) as process:
        server.process = process
        yield server


def requests_of(samples: Samples, path: str) -> float:
    return sum(value for labels, value in samples.all("http_requests_total").items() if ("route", path) in labels)


def test_totals_agree_and_survive_a_killed_worker(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.let_all_count(tmp_path)
        for _ in range(40):
            assert server.get("/api/v1/sentry-debug")[0] == 200
        for _ in range(10):
            assert server.get("/api/v1/sentry-test/error")[0] == 500
        found = server.wait(lambda found: found.of("app_errors_total", type="RuntimeError", handled="false") == 10)
        assert requests_of(found, "/api/v1/sentry-debug") == 40
        assert requests_of(found, "/api/v1/sentry-test/error") == 10
        durations = "http_request_duration_seconds_count"
        assert found.of(durations, method="GET", route="/api/v1/sentry-debug") == 40

        enough = threading.Event()
        slow = [threading.Thread(target=_ask_until, args=(enough, server)) for _ in range(8)]
        for thread in slow:
            thread.start()
        try:
            server.wait(lambda found: found.of("http_requests_in_flight") == 9)
            before = server.workers()
            assert len(before) == WORKERS
            os.kill(before[0], signal.SIGKILL)
        finally:
            enough.set()
        deadline = time.monotonic() + SECONDS
        while len(server.workers()) < WORKERS or before[0] in server.workers():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for thread in slow:
            thread.join()

        # What the dead one was answering is not being answered any more; what it had counted still counts.
        found = server.wait(lambda found: found.of("http_requests_in_flight") == 1)
        assert requests_of(found, "/api/v1/sentry-debug") == 40
        assert found.of("app_errors_total", type="RuntimeError", handled="false") == 10
        for _ in range(20):
            assert server.get("/api/v1/sentry-debug")[0] == 200
        server.wait(lambda found: requests_of(found, "/api/v1/sentry-debug") == 60)
        [folder] = tmp_path.glob("prometheus-*")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        # The successor goes on in the files of the one that died.
        assert sorted(file.name for file in folder.glob("counter_*")) == ["counter_0.db", "counter_1.db"]
    assert not list(tmp_path.glob("prometheus-*"))


def _ask_until(enough: threading.Event, server: Server) -> None:
    with contextlib.suppress(OSError):
        while not enough.is_set():
            server.get("/api/v1/sentry-test/slow?seconds=3")


def _command_line(process: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""  # it has ended since


def test_deliveries_of_all_workers_are_counted(tmp_path: Path) -> None:
    with receiving() as ingest, serving(tmp_path, SENTRY_DSN=ingest.dsn, SENTRY_ENABLE_TRACING="false") as server:
        for _ in range(8):
            assert server.get("/api/v1/sentry-test/error")[0] == 500
        found = server.wait(lambda found: found.of("sentry_sent_total") >= 8)
        assert found.of("app_errors_total", type="RuntimeError", handled="false") == 8
        assert found.of("sentry_last_delivery_timestamp_seconds") == pytest.approx(time.time(), abs=60)
        ingest.status = 500
        assert server.get("/api/v1/sentry-test/error")[0] == 500
        server.wait(lambda found: any(("by", "transport") in labels for labels in found.all("sentry_dropped_total")))


def test_a_folder_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    folder = str(file / "folder")
    with pytest.raises(AssertionError) as caught, serving(tmp_path, silence=10, PROMETHEUS_MULTIPROC_DIR=folder):
        pass
    assert "PROMETHEUS_MULTIPROC_DIR: NotADirectoryError" in str(caught.value)


def test_one_process_alone_needs_no_folder() -> None:
    assert multiprocessing.parent_process() is None
    assert shared_folder(None) is None
    assert shared_folder(Path("/somewhere")) == Path("/somewhere")


def test_numbers_are_taken_given_back_and_taken_again(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    first, second = Workers(folder, is_temporary=True), Workers(folder, is_temporary=True)
    assert (first.number(), second.number()) == (0, 1)
    for name in ("counter_0.db", "gauge_livesum_0.db", "gauge_livesum_1.db"):
        (folder / name).touch()
    first.forget_dead()
    assert (folder / "gauge_livesum_0.db").exists()
    first.leave()
    assert not (folder / "gauge_livesum_0.db").exists()
    assert (folder / "counter_0.db").exists()
    assert Workers(folder, is_temporary=True).number() == 0
    second.leave()
    assert (folder / "counter_0.db").exists()


def test_what_an_earlier_server_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "counter_7.db").write_bytes(b"from yesterday")
    (tmp_path / "worker-7.lock").touch()
    first = Workers(tmp_path, is_temporary=False)
    assert not (tmp_path / "counter_7.db").exists()
    (tmp_path / "counter_0.db").touch()
    assert Workers(tmp_path, is_temporary=False).number() == 1
    assert (tmp_path / "counter_0.db").exists()
    first.leave()
    assert tmp_path.exists()


def test_a_process_that_died_is_forgotten(tmp_path: Path) -> None:
    mine = Workers(tmp_path, is_temporary=False)
    (tmp_path / "worker-5.lock").touch()
    for name in ("gauge_livesum_5.db", "counter_5.db", "gauge_livesum_0.db"):
        (tmp_path / name).touch()
    mine.forget_dead()
    assert sorted(file.name for file in tmp_path.glob("*.db")) == ["counter_5.db", "gauge_livesum_0.db"]


def test_a_link_in_the_temporary_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="PROMETHEUS_MULTIPROC_DIR: PermissionError"):
        Workers(tmp_path / "link", is_temporary=True)
