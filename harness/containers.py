"""Run real containers without a Docker engine: podman behind a ``docker`` on PATH, and a registry on loopback.

The images that a project begins with cannot be pulled everywhere, so images of the same names are made here: Debian
(debootstrap, once, below ``.cache``) with its own Python and nginx, and the Node and uv of this machine.
Needs root, and the Debian packages of ``NEEDED``.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from secrets import token_hex

from harness.cache import CACHE, cached
from harness.processes import HOST, clean_environment, free_port, serving

STANDINS = Path(__file__).with_name("standins")

# A file of each Debian package that is needed.
NEEDED = {
    "buildah": "/usr/bin/buildah",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "debootstrap": "/usr/sbin/debootstrap",
    "docker-registry": "/usr/bin/docker-registry",
    "golang-github-containernetworking-plugin-dnsname": "/usr/lib/cni/dnsname",
    "iproute2": "/sbin/ip",
    "iptables": "/usr/sbin/iptables",
    "openssl": "/usr/bin/openssl",
    "podman": "/usr/bin/podman",
    "runc": "/usr/sbin/runc",
}
PACKAGES = "busybox,ca-certificates,gettext-base,nginx-light,python3"
PREFIX = "containers-"
NETWORKS, TRIES = 120, 20
SESSION = "session"  # the file of a session that has its name, locked while it lives
CERTIFICATE = "certificate.pem"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# The first line of each stage in the Dockerfiles of the template and the images of extensions/services, and the stage
# of standins/images/Dockerfile.
BASES = {
    "docker.io/library/python:3.13-slim": "python",
    "ghcr.io/astral-sh/uv:0.13": "uv",
    "docker.io/library/node:24-bookworm": "node",
    "docker.io/nginxinc/nginx-unprivileged:stable-alpine": "nginx",
    "docker.io/library/postgres:17-alpine": "postgres",
    "docker.io/library/redis:8-alpine": "redis",
}

# Podman raises limits as far as it can and fails where a machine forbids that; crun fails where both versions of
# cgroups are mounted.
ENGINE = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
volumes = [{trusted}]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "{folder}/tmp"
[network]
network_backend = "cni"
network_config_dir = "{folder}/networks"
default_subnet_pools = [{{ base = "{network}.0.0/16", size = 24 }}]
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/store"
runroot = "{folder}/run"
[storage.options]
additionalimagestores = [{images}]
"""
REGISTRIES = """\
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "{registry}"
insecure = true
"""
REGISTRY = """\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}
http: {{addr: "{registry}"}}
"""


class MissingProgramError(Exception):
    """A program that containers need is not installed; the message names all of them."""


@dataclass(frozen=True)
class Containers:
    """A ``docker`` of its own, empty at first.

    Attributes:
        environment: variables with which ``docker`` is that one; PATH is among them.
        registry: host and port of a registry that anybody may push to.
        host: an address of this machine that containers reach, unlike loopback; see harness/relay.py.
        certificate: certificate and key of that address, which containers trust and nobody else.
    """

    environment: Mapping[str, str]
    registry: str
    host: str
    certificate: Path

    def docker(self, *arguments: str | Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run ``docker`` and return it with its output.

        Raises:
            AssertionError: ``check`` is set and it failed; the message is its output.
        """
        command = ["docker", *map(str, arguments)]
        result = subprocess.run(
            command, env=clean_environment(self.environment), capture_output=True, text=True, check=False
        )
        if check and result.returncode != 0:
            output = (result.stdout + result.stderr)[-8000:]
            raise AssertionError(f"{' '.join(command)} ended with code {result.returncode}:\n{output}")
        return result


@contextmanager
def containers() -> Iterator[Containers]:
    """Provide a ``docker`` and a registry for a ``with`` block; every container, network and image ends with it.

    SIGTERM ends the program as Ctrl-C does, so that this holds then too. What a killed one leaves, the next ends.

    Raises:
        MissingProgramError: a package has to be installed first.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    end_those_of_killed_programs()
    # The path of a socket, which is below this folder, may have no more than about a hundred characters.
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        images = f'"{_base_images()}"'
        with (folder / SESSION).open("w", encoding="ascii") as living, _address_of_nobody() as (session, host):
            flock(living, LOCK_EX)
            living.write(session)
            living.flush()
            certificate, trusted = _certified(folder, host)
            registry = f"{HOST}:{free_port()}"
            environment = _configured(folder, registry, images, session, trusted)
            (folder / "registry.yml").write_text(REGISTRY.format(folder=folder, registry=registry), "utf-8")
            # It ends with this program, even if that is killed.
            serve = ["setpriv", "--pdeathsig", "TERM", "docker-registry", "serve", str(folder / "registry.yml")]
            with serving(serve, f"http://{registry}/v2/", cwd=folder, log=folder / "registry.log"):
                running = Containers(environment, registry, host, certificate)
                try:
                    yield running
                finally:
                    _empty(running)
                    # Whoever looks for what killed ones left has nothing to do here.
                    living.truncate(0)


def _empty(running: Containers) -> None:
    """Remove every container, image and network."""
    removing = ("rm", "--force", "--ignore", "--depend", "--volumes", "--time", "5")
    # One by one: with "--all" podman stumbles over those that depend on each other.
    for container in running.docker("ps", "--all", "--quiet").stdout.split():
        # Of one that was killed together with what watches it, the first try only finds out that it has ended.
        if running.docker(*removing, container, check=False).returncode != 0:
            running.docker(*removing, container)
    running.docker("rmi", "--all", "--force")
    running.docker("network", "prune", "--force")


def end_those_of_killed_programs() -> None:
    """End what is left of programs that were killed: a lock ends with the program that holds it.

    Until then connections to ports that their containers had published are refused, whoever listens there.
    """
    for file in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{SESSION}"):
        try:
            left = file.open(encoding="ascii")
        except FileNotFoundError:
            continue  # it has ended meanwhile, and taken its folder with it
        with left:
            try:
                flock(left, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                continue
            if session := left.read():
                host = _host(session)
                _empty(Containers(_variables(file.parent, session), "", host, file.with_name(CERTIFICATE)))
                shutil.rmtree(file.parent)
                _ip("del", host)


@contextmanager
def _address_of_nobody() -> Iterator[tuple[str, str]]:
    """Choose a session whose network no other has, and give the loopback interface its address for a ``with`` block."""
    for _ in range(TRIES):
        session = token_hex(3)
        added = _ip("add", _host(session))
        if added.returncode == 0:
            break
    else:
        raise AssertionError(f"The loopback interface takes no more addresses: {added.stderr}")
    try:
        yield session, _host(session)
    finally:
        _ip("del", _host(session))


def _ip(does: str, address: str) -> "subprocess.CompletedProcess[str]":
    command = ["/sbin/ip", "address", does, f"{address}/32", "dev", "lo"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _network(session: str) -> str:
    """Return the first two numbers of the addresses of a session's containers."""
    return f"10.{128 + int(session, 16) % NETWORKS}"


def _host(session: str) -> str:
    """Return the address of this machine that a session's containers reach."""
    return f"{_network(session)}.255.254"


def _certified(folder: Path, address: str) -> tuple[Path, Path]:
    """Make a certificate of an address, and all that containers trust: it, and what the base images do."""
    certificate, trusted = folder / CERTIFICATE, folder / "trusted.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", f"/CN={address}", "-addext", f"subjectAltName=IP:{address}", "-days", "2"]
    _run(*command, "-keyout", str(certificate), "-out", str(trusted))
    own = trusted.read_text("ascii")
    with certificate.open("a", encoding="ascii") as file:
        file.write(own)
    others = CERTIFICATES.read_text("utf-8") if CERTIFICATES.exists() else ""
    trusted.write_text(f"{others}{own}", "utf-8")
    return certificate, trusted


def _configured(folder: Path, registry: str, images: str, session: str, trusted: Path | None = None) -> dict[str, str]:
    """Write the settings of an engine that keeps everything in ``folder``, and return the variables that name them.

    The file ``trusted`` takes the place of the certificates of every container.
    """
    volumes = f'"{trusted}:{CERTIFICATES}:ro"' if trusted else ""
    files = {
        "CONTAINERS_CONF": ENGINE.format(folder=folder, network=_network(session), trusted=volumes),
        "CONTAINERS_STORAGE_CONF": STORAGE.format(folder=folder, images=images),
        "CONTAINERS_REGISTRIES_CONF": REGISTRIES.format(registry=registry),
    }
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    (folder / "auth.json").write_text("{}", "ascii")
    (folder / "bin").mkdir()
    (folder / "bin/docker").symlink_to(STANDINS / "docker")
    return _variables(folder, session)


def _variables(folder: Path, session: str) -> dict[str, str]:
    settings = ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF")
    return {
        **{name: str(folder / f"{name}.toml") for name in settings},
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        "STANDIN_COMPOSE": f"{sysconfig.get_path('scripts')}/podman-compose",
        "STANDIN_SESSION": session,
        "STANDIN_CACHE": str(CACHE / "builds"),  # what the builds keep in their cache mounts
    }


def _base_images() -> Path:
    """Return the folder of a store with the images of ``BASES``, made on first use.

    Raises:
        MissingProgramError: a package has to be installed first.
    """
    if missing := [package for package, file in NEEDED.items() if not Path(file).exists()]:
        names = " ".join(missing)
        raise MissingProgramError(f"Containers need Debian packages: apt-get install --no-install-recommends {names}")
    recipe = "".join(path.read_text("utf-8") for path in sorted((STANDINS / "images").iterdir()))
    recipe += f"{PACKAGES}{sorted(BASES)}{_version('node')}{_version('npm')}{_version(_uv())}"
    return cached("images", recipe, _build)


def _version(program: str) -> str:
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout


def _uv() -> str:
    return f"{sysconfig.get_path('scripts')}/uv"


def _build(folder: Path) -> Path:
    """Build the images into a store below ``folder``, and return it."""
    context = folder / "context"
    shutil.copytree(STANDINS / "images", context)
    root = folder / "debian"
    _run("/usr/sbin/debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root))
    # Whoever vouches for the package registries to this machine does it to the images too.
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
    _run(
        "tar", "--directory", str(root), "--exclude=./var/cache/apt", "--create", "--file", f"{context}/debian.tar", "."
    )
    shutil.copy(str(shutil.which("node")), context / "node")
    shutil.copytree(Path(str(shutil.which("npm"))).resolve().parents[1], context / "npm", symlinks=True)
    shutil.copy(_uv(), context / "uv")
    environment = _configured(folder, "localhost", "", token_hex(3))
    for name, target in BASES.items():
        _run("docker", "build", "--target", target, "--tag", name, str(context), environment=environment)
    return folder / "store"


def _run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(command, env=clean_environment(environment), stdout=sys.stderr, check=True)
