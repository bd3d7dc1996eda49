"""Images and compose files: built, pushed, deployed over SSH and used, with real containers."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from harness.containers import Containers
from harness.deploys import as_lines, insisted
from harness.machine import machine
from harness.processes import HOST, answers, free_port, poll
from harness.project import Project
from harness.relay import relayed
from harness.sink import Sink, receiving
from harness.viewer import error_events

SECRET_KEY = "c0ffee5ec2e7"  # noqa: S105 - the key of a DSN, which no output may show
SECONDS_TO_STOP = 15


@dataclass(frozen=True)
class Deployed:
    """What runs on a machine after ``make deploy``, and what that printed."""

    url: str
    output: str
    names: Mapping[str, str]

    def get(self, path: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"{self.url}{path}", headers=named, timeout=60)


@pytest.fixture(scope="module")
def project(default_project: Project) -> Project:
    """A project whose page is built as a commit has it."""
    default_project.make("build")
    return default_project


@pytest.fixture(scope="module")
def images(project: Project, docker: Containers) -> dict[str, str]:
    """The digests of what ``make images PUSH=1`` pushed, by part."""
    # Owners of repositories have capitals in their names, images must not.
    environment = {**docker.environment, "REGISTRY": f"{docker.registry}/Owner/my-app"}
    project.make("images", "PUSH=1", environment=environment)
    facts: dict[str, str] = json.loads((project.path / "release/images.json").read_text("utf-8"))
    build = json.loads((project.path / "release/build.json").read_text("utf-8"))
    assert (facts["release"], facts["digest"]) == (build["release"], build["digest"])
    pushed = {part: facts[part] for part in ("api", "web")}
    for image in pushed.values():
        assert docker.docker("image", "inspect", image).returncode == 0, "It was pulled to be looked into."
    return pushed


@pytest.fixture(scope="module")
def sink(docker: Containers) -> Iterator[Sink]:
    """An ingest that containers reach."""
    with receiving() as running, relayed(docker.host, running.port):
        yield running


@pytest.fixture(scope="module")
def dsn(docker: Containers, sink: Sink) -> str:
    return f"http://{SECRET_KEY}@{docker.host}:{sink.port}/1"


@pytest.fixture(scope="module")
def to_deploy(project: Project, docker: Containers, images: dict[str, str], dsn: str) -> Iterator[dict[str, str]]:
    """The variables with which the pushed images can be deployed to a machine."""
    assert images
    with machine(docker) as target:
        needed = {"DEPLOY_VARIABLES": as_lines(insisted(project)), "SENTRY_DSN": dsn, "VITE_SENTRY_DSN": dsn}
        yield {**docker.environment, **target, **needed}


@pytest.fixture(scope="module")
def deployed(
    project: Project, images: dict[str, str], docker: Containers, to_deploy: dict[str, str]
) -> Iterator[Deployed]:
    address = f"{HOST}:{free_port()}"
    environment = {**to_deploy, "WEB_ADDRESS": address, "PUBLIC_URL": f"http://{address}"}
    result = project.make("deploy", "ENVIRONMENT=staging", environment=environment)
    running = docker.docker("ps", "--format", "{{.Names}} {{.Image}}").stdout.split()
    names = {part: running[running.index(image) - 1] for part, image in images.items()}
    yield Deployed(f"http://{address}", result.stdout + result.stderr, names)
    # Podman keeps those that others depend on.
    for part in ("web", "api"):
        docker.docker("rm", "--force", "--time", "5", names[part])


@contextmanager
def container(docker: Containers, image: str, port: int, **variables: str) -> Iterator[tuple[str, str]]:
    """Run an image as a cautious machine does, entered with its name and its address."""
    address = f"{HOST}:{free_port()}"
    given = [part for name, value in variables.items() for part in ("--env", f"{name}={value}")]
    options = ["--detach", "--read-only", "--tmpfs=/tmp", "--cap-drop", "ALL", "--publish", f"{address}:{port}"]
    name = docker.docker("run", *options, *given, image).stdout.split()[-1]
    try:
        yield name, f"http://{address}"
    finally:
        docker.docker("rm", "--force", "--time", "5", name)


def items_in_postgresql(deployed: Deployed, docker: Containers) -> list[str]:
    """Return the names of the items in the tables of the server that is deployed beside the API."""
    server = deployed.names["api"].replace("_api_", "_postgres_")
    psql = ["psql", "--host=127.0.0.1", "--username=app", "--dbname=app", "--tuples-only", "--no-align"]
    return docker.docker("exec", server, *psql, "--command", "SELECT name FROM items").stdout.splitlines()


def ops(project: Project, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run a command of ``ops.release`` and return its exit code and all that it printed."""
    result = project.run("python3", "-m", "ops.release", *arguments, environment=environment, check=False)
    return result.returncode, result.stdout + result.stderr


def test_images_name_the_release_the_commit_and_where_it_is_from(
    project: Project, images: dict[str, str], docker: Containers
) -> None:
    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    about = json.loads((project.path / "contracts/project.json").read_text("utf-8"))
    for image in images.values():
        labels = json.loads(docker.docker("image", "inspect", "--format", "{{json .Config.Labels}}", image).stdout)
        assert {name: labels[f"org.opencontainers.image.{name}"] for name in ("version", "revision", "source")} == {
            "version": project.make("release").stdout.strip(),
            "revision": commit,
            "source": about["repository"],
        }


def test_pushed_images_are_of_the_very_build(project: Project, images: dict[str, str], docker: Containers) -> None:
    for image in images.values():
        code, output = ops(project, "check", "--image", image, **docker.environment)
        assert code == 0, output


@pytest.mark.parametrize("change", ["map", "other"])
def test_an_image_that_holds_something_else_is_refused(
    change: str, project: Project, images: dict[str, str], docker: Containers, tmp_path: Path
) -> None:
    (tmp_path / "index.js.map").write_text("{}")
    (tmp_path / "index.html").write_text("<title>Another build</title>")
    source, sentence = {
        "map": ("index.js.map", "changed: holds the source map index.js.map, which visitors could read"),
        "other": ("index.html", "changed: its page is not what was built: index.html. Run: make images"),
    }[change]
    dockerfile = f"FROM {images['web']}\nCOPY {source} /srv/page/\n"
    (tmp_path / "Dockerfile").write_text(dockerfile)
    docker.docker("build", "--tag", "changed", tmp_path)
    code, output = ops(project, "check", "--image", "changed", **docker.environment)
    assert (code, sentence in output) == (1, True), output


def test_a_build_that_was_changed_gets_into_no_image(project: Project, docker: Containers) -> None:
    page = project.path / "frontend/dist/index.html"
    built = page.read_text("utf-8")
    page.write_text(f"{built}<!-- changed -->", "utf-8")
    try:
        code, output = ops(project, "images", **docker.environment)
    finally:
        page.write_text(built, "utf-8")
    assert code == 1
    assert "index.html" in output
    assert "STEP" not in output, "It has to be refused before anything is built."


def test_pushing_without_a_registry_is_refused(project: Project, docker: Containers) -> None:
    code, output = ops(project, "images", "--push", **docker.environment)
    assert (code, output.partition(":")[0]) == (1, "REGISTRY"), output


def test_without_a_machine_nothing_is_deployed_and_that_is_no_failure(project: Project) -> None:
    code, output = ops(project, "deploy", "staging")
    assert (code, output) == (0, "DEPLOY_HOST is not set: nothing was deployed.\n")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"SENTRY_DSN": ""}, "SENTRY_DSN"),
        ({"VITE_SENTRY_DSN": ""}, "VITE_SENTRY_DSN"),
        ({"DEPLOY_HOST": "-oProxyCommand=touch"}, "DEPLOY_HOST"),
        ({"DEPLOY_KNOWN_HOSTS": ""}, "DEPLOY_KNOWN_HOSTS"),
        ({"DEPLOY_VARIABLES": "A_NAME=value\nno secret of ours"}, "DEPLOY_VARIABLES"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_deploy_that_lacks_something_says_what(
    given: dict[str, str], named: str, project: Project, to_deploy: dict[str, str]
) -> None:
    code, output = ops(project, "deploy", "staging", **{**to_deploy, **given})
    assert (code, output.partition(":")[0], output.count("\n")) == (1, named, 1), output


@pytest.mark.parametrize("trouble", ["another machine", "another key"])
def test_a_deploy_trusts_no_other_machine_and_shows_no_secret(
    trouble: str, project: Project, to_deploy: dict[str, str], tmp_path: Path
) -> None:
    project.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key"))
    given = {
        "another machine": {"DEPLOY_KNOWN_HOSTS": f"* {(tmp_path / 'key.pub').read_text('ascii')}"},
        "another key": {"DEPLOY_SSH_KEY": (tmp_path / "key").read_text("ascii")},
    }[trouble]
    code, output = ops(project, "deploy", "staging", **{**to_deploy, **given})
    assert code == 1
    assert {"another machine": "Host key verification failed", "another key": "Permission denied"}[trouble] in output
    assert "docker compose pull: it failed" in output
    assert SECRET_KEY not in output
    assert "PRIVATE KEY" not in output


def test_a_deploy_says_where_what_runs_and_shows_no_secret(project: Project, deployed: Deployed) -> None:
    release = project.make("release").stdout.strip()
    assert deployed.output.endswith(f"{release} runs in staging: {deployed.url}\n")
    assert SECRET_KEY not in deployed.output
    assert deployed.get("/health").json() == {"status": "ok", "environment": "staging", "release": release}


def test_containers_have_no_root_and_write_nowhere_but_tmp(deployed: Deployed, docker: Containers) -> None:
    for name in deployed.names.values():
        assert docker.docker("exec", name, "id", "-u").stdout.strip() not in {"0", ""}
        assert docker.docker("exec", name, "touch", "/tmp/there").returncode == 0  # noqa: S108 - the container's own
        for place in ("/here", "/srv/here", "/srv/page/here", "/etc/nginx/conf.d/here"):
            assert docker.docker("exec", name, "touch", place, check=False).returncode != 0, (name, place)
        capabilities = docker.docker("exec", name, "grep", "-E", "CapBnd|NoNewPrivs", "/proc/1/status").stdout.split()
        assert capabilities == ["CapBnd:", "0" * 16, "NoNewPrivs:", "1"], name


def test_the_database_of_the_deployed_api_is_postgresql_and_its_tables_are_made(
    deployed: Deployed, docker: Containers
) -> None:
    assert deployed.get("/health/ready").json() == {"status": "ready", "checks": {"database": "ok"}}
    assert httpx.post(f"{deployed.url}/api/v1/items", json={"name": "Pear"}, timeout=60).status_code == 201
    assert [item["name"] for item in deployed.get("/api/v1/items").json()["items"]] == ["Pear"]
    assert items_in_postgresql(deployed, docker) == ["Pear"]


def test_both_images_say_how_healthy_they_are(images: dict[str, str], deployed: Deployed, docker: Containers) -> None:
    for image in images.values():
        check = docker.docker("image", "inspect", "--format", "{{json .HealthCheck}}", image).stdout
        assert json.loads(check)["Test"][0] == "CMD"
    for name in deployed.names.values():
        assert docker.docker("healthcheck", "run", name).returncode == 0


def test_the_api_has_several_workers(deployed: Deployed, docker: Containers) -> None:
    def started() -> bool:
        logs = docker.docker("logs", deployed.names["api"])
        return (logs.stdout + logs.stderr).count("Started server process") == 2

    poll(started, awaiting="both workers")


def test_files_of_the_build_stay_with_visitors_and_the_page_is_asked_for_again(deployed: Deployed) -> None:
    page = deployed.get("/")
    script = re.search(r'src="(/assets/[^"]+\.js)"', page.text)
    assert script
    assert page.headers["cache-control"] == "no-cache"
    asset = deployed.get(script[1], accept_encoding="gzip")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asset.headers["content-encoding"] == "gzip"
    assert asset.headers["vary"] == "Accept-Encoding"
    assert "sourcemap" not in asset.headers


def test_answers_of_the_api_are_not_compressed(deployed: Deployed) -> None:
    answer = deployed.get("/api/v1/sentry-debug", accept_encoding="gzip")
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers


def test_every_address_without_a_file_is_the_page_but_not_in_assets_and_no_map(deployed: Deployed) -> None:
    page = deployed.get("/").text
    assert deployed.get("/some/route?of=the-page").text == page
    assert deployed.get("/assets/none.js").status_code == 404
    assert "cache-control" not in deployed.get("/assets/none.js").headers
    script = re.search(r'src="(/assets/[^"]+\.js)"', page)
    assert script
    for path in (f"{script[1]}.map", "/index.js.map"):
        assert deployed.get(path).status_code == 404


def test_addresses_of_the_api_are_the_api_s_whatever_they_end_with(deployed: Deployed) -> None:
    assert deployed.get("/api/v1/none.map").headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/some/route", "/assets/none.js"])
def test_security_headers_are_on_every_answer(path: str, deployed: Deployed) -> None:
    headers = deployed.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["cross-origin-opener-policy"] == "same-origin-allow-popups"
    assert headers["permissions-policy"] == "camera=(), geolocation=(), microphone=()"
    assert headers["server"] == "nginx"
    assert "strict-transport-security" not in headers
    assert deployed.get(path, x_forwarded_proto="https").headers["strict-transport-security"] == "max-age=31536000"


def test_the_page_has_a_policy_of_its_own(deployed: Deployed) -> None:
    assert '<meta http-equiv="Content-Security-Policy" content="default-src \'self\';' in deployed.get("/").text


def test_one_image_serves_every_environment(
    images: dict[str, str], deployed: Deployed, docker: Containers, dsn: str
) -> None:
    assert f'<meta name="VITE_SENTRY_DSN" content="{dsn}" />' in deployed.get("/").text
    assert '<meta name="VITE_SENTRY_ENVIRONMENT" content="staging" />' in deployed.get("/").text
    variables = {"VITE_SENTRY_ENVIRONMENT": "production", "API_URL": f"http://{HOST}:9"}
    with container(docker, images["web"], 8080, **variables) as (_, url):
        poll(lambda: answers(url), awaiting=url)
        assert '<meta name="VITE_SENTRY_ENVIRONMENT" content="production" />' in httpx.get(url, timeout=60).text


def test_a_bad_variable_stops_the_page_s_container_and_is_named(images: dict[str, str], docker: Containers) -> None:
    with container(docker, images["web"], 8080, VITE_SENTRY_DSN=f"https://{SECRET_KEY}/none") as (name, _):
        poll(
            lambda: docker.docker("inspect", "--format", "{{.State.Running}}", name).stdout == "false\n", awaiting=name
        )
        assert docker.docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout == "1\n"
        logs = docker.docker("logs", name)
    assert logs.stderr.startswith("VITE_SENTRY_DSN: not a DSN like ")
    assert SECRET_KEY not in logs.stdout + logs.stderr


def test_a_container_that_is_stopped_delivers_what_it_captured(
    images: dict[str, str], docker: Containers, sink: Sink, dsn: str
) -> None:
    with container(docker, images["api"], 8000, SENTRY_DSN=dsn, ENVIRONMENT="staging") as (name, url):
        poll(lambda: answers(f"{url}/health/live"), awaiting=url)
        captured = {httpx.get(f"{url}/api/v1/sentry-test/error", timeout=60).json()["event_id"] for _ in range(4)}
        docker.docker("stop", "--time", str(SECONDS_TO_STOP), name)
        assert docker.docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout == "0\n"
    events = {event["event_id"]: event for event in sink.payloads("event")}
    assert captured <= events.keys()
    assert {events[event_id]["environment"] for event_id in captured} == {"staging"}


def test_the_tunnel_of_the_deployed_page_reaches_sentry(deployed: Deployed, sink: Sink, dsn: str) -> None:
    event_id = "0123456789abcdef0123456789abcdef"
    header = json.dumps({"dsn": dsn, "event_id": event_id})
    envelope = f'{header}\n{{"type": "event"}}\n{json.dumps({"event_id": event_id, "message": "by the tunnel"})}\n'
    answer = httpx.post(f"{deployed.url}/api/v1/tunnel", content=envelope, headers={"Origin": deployed.url}, timeout=60)
    assert answer.status_code == 200, answer.text
    poll(lambda: event_id in [event["event_id"] for event in sink.payloads("event")], awaiting="the event")


def test_the_whole_project_starts_with_a_viewer_that_shows_its_errors(project: Project, docker: Containers) -> None:
    address, viewer = f"{HOST}:{free_port()}", free_port()
    environment = {
        **docker.environment,
        "WEB_ADDRESS": address,
        "VIEWER_PORT": str(viewer),
        "SENTRY_RELEASE": "my-app@compose",
    }
    try:
        project.run("docker", "compose", "up", "--build", "--wait", environment=environment)
        health = httpx.get(f"http://{address}/health", timeout=60).json()
        assert health == {"status": "ok", "environment": "development", "release": "my-app@compose"}
        page = httpx.get(f"http://{address}/", timeout=60).text
        assert '<meta name="VITE_SENTRY_DSN" content="http://spotlight@viewer:8969/1" />' in page
        assert httpx.get(f"http://{address}/assets/index.js.map", timeout=60).status_code == 404
        # No tables are made at the start of the API: the service "migrate" did it.
        assert httpx.post(f"http://{address}/api/v1/items", json={"name": "Plum"}, timeout=60).status_code == 201
        assert [item["name"] for item in httpx.get(f"http://{address}/api/v1/items", timeout=60).json()["items"]] == [
            "Plum"
        ]
        captured = httpx.get(f"http://{address}/api/v1/sentry-test/error", timeout=60).json()["event_id"]
        poll(
            lambda: captured in [event["event_id"] for event in error_events(f"http://{HOST}:{viewer}")],
            awaiting="the error in the viewer",
        )
    finally:
        project.run("docker", "compose", "down", environment=environment)
