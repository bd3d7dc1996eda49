"""A machine to deploy to: a real sshd on loopback, at whose other end is the ``docker`` of harness/containers.py.

Needs root and the Debian package openssh-server.
"""

import getpass
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.containers import Containers, MissingProgramError
from harness.processes import HOST, free_port, is_taken, poll, start, stop

SETTINGS = """\
ListenAddress {host}:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/visitor.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv PATH={path}
"""
PRIVILEGES = Path("/run/sshd")


@contextmanager
def machine(docker: Containers) -> Iterator[dict[str, str]]:
    """Run a machine for a ``with`` block, entered with the three ``DEPLOY_`` variables that lead to it.

    Raises:
        MissingProgramError: openssh-server has to be installed first.
        DeadlineError: the server did not start.
    """
    server = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if not server:
        raise MissingProgramError("A machine needs sshd: apt-get install --no-install-recommends openssh-server")
    PRIVILEGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        for key in ("host", "visitor"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        settings = SETTINGS.format(host=HOST, port=port, folder=folder, path=docker.environment["PATH"])
        (folder / "sshd_config").write_text(settings, "utf-8")
        command = [server, "-D", "-e", "-f", str(folder / "sshd_config")]
        process = start(command, cwd=folder, log=folder / "log")
        try:
            poll(lambda: is_taken(port), awaiting="sshd")
            yield {
                "DEPLOY_HOST": f"{getpass.getuser()}@{HOST}:{port}",
                "DEPLOY_SSH_KEY": (folder / "visitor").read_text("ascii"),
                "DEPLOY_KNOWN_HOSTS": f"[{HOST}]:{port} {(folder / 'host.pub').read_text('ascii')}",
            }
        finally:
            stop(process)
