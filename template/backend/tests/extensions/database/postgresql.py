"""A real PostgreSQL server for the tests: its programs on a free port, its files in a folder of their own."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.extensions.servers import find_program, free_port, running_program

# Debian keeps the programs of each version in a folder of their own.
FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
USER, PASSWORD = "app", "p@ss/word"
_QUOTED_PASSWORD = "p%40ss%2Fword"


@dataclass(frozen=True)
class PostgreSql:
    """A cluster of databases, which runs only while ``running`` lasts."""

    folder: Path
    port: int

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database, as a person would write it."""
        return f"postgres://{USER}:{_QUOTED_PASSWORD}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the server for the length of a ``with`` block."""
        # Nothing is kept, so nothing has to reach the disk.
        options = ["-c", "fsync=off", "-c", f"port={self.port}", "-c", "listen_addresses=127.0.0.1"]
        options += ["-c", "unix_socket_directories=", "-c", "max_connections=40", "-c", "autovacuum=off"]
        command = _unprivileged([_program("postgres"), "-D", str(self.folder), *options])
        with running_program(command, is_ready=self._answers) as server:
            try:
                yield
            finally:
                # Without waiting for those who are connected, as it would after SIGTERM.
                server.send_signal(signal.SIGINT)
                server.wait(timeout=60)

    def execute(self, statement: str, database: str = "postgres") -> list[asyncpg.Record]:
        """Run a statement as the owner of the cluster, and return its rows."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.url(database))
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

        return asyncio.run(run())

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            self.execute("select 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True


@contextmanager
def cluster() -> Iterator[PostgreSql]:
    """Make the files of a cluster, for the length of a ``with`` block."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        password = folder / "password"
        password.write_text(PASSWORD, "utf-8")
        account = _account()
        if account:
            for path in (folder, password):
                os.chown(path, account.pw_uid, account.pw_gid)
        data = folder / "data"
        command = [_program("initdb"), "-D", str(data), "-U", USER, "--pwfile", str(password)]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
        made = subprocess.run(_unprivileged(command), capture_output=True, text=True, check=False, cwd=folder)
        assert made.returncode == 0, made.stderr
        yield PostgreSql(data, free_port())
    finally:
        shutil.rmtree(folder)


def _program(name: str) -> str:
    return find_program(name, package="postgresql", folders=FOLDERS)


def _account() -> pwd.struct_passwd | None:
    """Return who runs the server when the tests run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    names = {account.pw_name: account for account in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _unprivileged(command: Sequence[str]) -> list[str]:
    account = _account()
    if account is None:
        return list(command)
    drop = find_program("setpriv", package="util-linux")
    return [drop, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", *command]
