"""`make dev`: one command starts everything, Ctrl-C leaves nothing behind, a taken port is named."""

import os
import re
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from harness.browser import chromium
from harness.development import PORTS, developing
from harness.processes import HOST, free_port, is_taken, poll
from harness.project import Project
from harness.viewer import error_events
from tests.processes import alive, descendants

# Reaches a server that listens on every address, and none that listens on 127.0.0.1 alone.
ANOTHER_ADDRESS = "127.0.0.2"


@pytest.fixture
def ports() -> dict[str, str]:
    """A free port for each server."""
    return {name: str(free_port()) for name in PORTS}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_leaves_no_process_and_no_port_behind(
    number: signal.Signals, default_project: Project, tmp_path: Path, ports: dict[str, str]
) -> None:
    with developing(default_project, tmp_path / "log", ports) as servers:
        started = descendants(servers.process.pid)
        assert len(started) >= 4
        os.killpg(servers.process.pid, number)  # what a terminal does on Ctrl-C, or when it closes
        poll(lambda: not any(map(alive, started)), awaiting="the end of every child", seconds=20)
    assert not [name for name, port in ports.items() if is_taken(int(port))]


def test_the_harness_leaves_no_process_behind(default_project: Project, tmp_path: Path, ports: dict[str, str]) -> None:
    with developing(default_project, tmp_path / "log", ports) as servers:
        started = descendants(servers.process.pid)
    assert not [pid for pid in started if alive(pid)]


def test_the_logs_are_merged_and_each_line_says_whose_it_is(
    default_project: Project, tmp_path: Path, ports: dict[str, str]
) -> None:
    log = tmp_path / "log"

    def speakers() -> set[str]:
        return set(re.findall(r"^\d\d:\d\d:\d\d (\w+) +\| ", log.read_text("utf-8"), re.MULTILINE))

    with developing(default_project, log, ports):
        poll(lambda: {"api", "web", "viewer"} <= speakers(), awaiting="a line of each")
        text = log.read_text("utf-8")
    for port in ports.values():
        assert f"http://{HOST}:{port}" in text


def test_a_backend_error_reaches_the_viewer_through_an_ordinary_dsn(
    default_project: Project, tmp_path: Path, ports: dict[str, str]
) -> None:
    with developing(default_project, tmp_path / "log", ports) as servers:
        answer = httpx.get(f"{servers.web}/api/v1/sentry-test/error", timeout=60)
        assert answer.status_code == 500
        found = poll(lambda: error_events(servers.viewer), awaiting="the error in the viewer")
        assert [event["event_id"] for event in found] == [answer.json()["event_id"]]
        assert httpx.get(f"{servers.viewer}/", timeout=60).status_code == 200


def test_the_page_of_the_viewer_talks_to_nobody_else(
    default_project: Project, tmp_path: Path, ports: dict[str, str]
) -> None:
    sent: list[str] = []
    with developing(default_project, tmp_path / "log", ports) as servers, chromium() as browser:
        httpx.get(f"{servers.web}/api/v1/sentry-test/error", timeout=60)
        page = browser.new_page()
        page.on("request", lambda request: sent.append(request.url))
        page.goto(f"{servers.viewer}/telemetry/errors")
        page.get_by_text("the backend broke on purpose").first.wait_for()
        assert any(url.startswith(servers.viewer) for url in sent)
        assert not [url for url in sent if urlsplit(url).hostname not in {HOST, "localhost", None, ""}]


def test_the_servers_listen_on_the_loopback_interface_only(
    default_project: Project, tmp_path: Path, ports: dict[str, str]
) -> None:
    with developing(default_project, tmp_path / "log", ports):
        for port in ports.values():
            with socket.socket() as probe:
                assert probe.connect_ex((ANOTHER_ADDRESS, int(port))) != 0, port


def test_an_empty_dsn_switches_sentry_off_and_everything_works(
    default_project: Project, tmp_path: Path, ports: dict[str, str]
) -> None:
    log = tmp_path / "log"
    environment = {**ports, "SENTRY_DSN": "", "VITE_SENTRY_DSN": ""}
    with developing(default_project, log, environment) as servers:
        state = httpx.get(f"{servers.web}/api/v1/sentry-debug", timeout=60).json()
        assert (state["sentry_configured"], state["dsn_set"]) == (False, False)
        assert httpx.get(f"{servers.web}/api/v1/sentry-test/error", timeout=60).json()["event_id"] is None
        assert "Sentry is off" in log.read_text("utf-8")


@pytest.mark.parametrize("name", ["API_PORT", "WEB_PORT", "VIEWER_PORT"])
def test_a_taken_port_is_named_in_the_error(name: str, default_project: Project, ports: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind((HOST, int(ports[name])))
        other.listen()
        result = default_project.make("dev", environment=ports, check=False)
    assert result.returncode != 0
    assert f"{name}: port {ports[name]} is taken" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1", "8000.5"])
def test_a_bad_port_is_refused_with_one_line(value: str, default_project: Project, ports: dict[str, str]) -> None:
    result = default_project.make("dev", environment={**ports, "WEB_PORT": value}, check=False)
    assert result.returncode != 0
    assert f"WEB_PORT: '{value}' is not a port number" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_bad_setting_stops_the_start_with_a_line_that_names_it(
    default_project: Project, ports: dict[str, str]
) -> None:
    result = default_project.make("dev", environment={**ports, "SENTRY_TRACES_SAMPLE_RATE": "1.5"}, check=False)
    assert result.returncode != 0
    assert "SENTRY_TRACES_SAMPLE_RATE: 1.5 is not between 0 and 1" in result.stderr
    assert "Traceback" not in result.stderr
    assert "started" not in result.stdout
