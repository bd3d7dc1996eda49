"""Migrations: which one the database has, and which one this code needs."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

CONFIGURATION = Path(__file__).with_name("alembic.ini")
COMMAND = "alembic -c app/extensions/database/alembic.ini upgrade head"

CONNECTION = "connection"
"""The attribute of Alembic's configuration under which ``migrations/env.py`` finds an open connection."""


class MigrationsBehindError(Exception):
    """The tables are older than this code."""


def upgrade(connection: Connection) -> None:
    """Bring the tables to what this code needs."""
    configuration = Config(CONFIGURATION)
    configuration.attributes[CONNECTION] = connection
    command.upgrade(configuration, "head")


def require_current(connection: Connection) -> None:
    """Compare the version of the tables with this code.

    A version that this code does not know is newer: while a release is rolled out, the processes before it go on.

    Raises:
        MigrationsBehindError: a migration has not run.
    """
    heads, known = _scripts()
    found = set(MigrationContext.configure(connection).get_current_heads())
    if found - known or found == heads:
        return
    has, needs = (", ".join(sorted(names)) or "none" for names in (found, heads))
    raise MigrationsBehindError(f"The database is at migration {has} and this code needs {needs}: run {COMMAND}")


@cache
def _scripts() -> tuple[frozenset[str], frozenset[str]]:
    scripts = ScriptDirectory.from_config(Config(CONFIGURATION))
    known = frozenset(script.revision for script in scripts.walk_revisions())
    return frozenset(scripts.get_heads()), known
