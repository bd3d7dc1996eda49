"""Addresses of databases: what people write, and what the engine takes."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.contracts import ROOT

FILE_NAME = "app.sqlite3"

SQLITE, POSTGRESQL = "sqlite+aiosqlite", "postgresql+asyncpg"
_DRIVERS = {
    "sqlite": SQLITE,
    SQLITE: SQLITE,
    "postgres": POSTGRESQL,
    "postgresql": POSTGRESQL,
    POSTGRESQL: POSTGRESQL,
}
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_EXAMPLES = "postgresql://user:password@host:5432/name or sqlite:///path/to/file"


def parse_address(text: str) -> URL:
    """Return the address of a database with the driver that this application uses.

    Args:
        text: ``postgresql://`` (or ``postgres://``) or ``sqlite:///``, whose path begins at the repository root
            unless it is absolute. PostgreSQL takes the parameters ``sslmode`` and ``application_name``.

    Raises:
        ValueError: it is neither; the message repeats nothing that may be secret.
    """
    try:
        url = make_url(text)
        # Decoding fails late otherwise.
        hash(url)
    except (ArgumentError, ValueError, TypeError):
        raise ValueError(f"the value is not an address like {_EXAMPLES}") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError(f"the value is not an address like {_EXAMPLES}; other databases and drivers are not known")
    return _sqlite(url) if driver == SQLITE else _postgresql(url)


def default_address(folder: Path) -> URL:
    """Return the address of the SQLite file that is used when nothing else is set."""
    return URL.create(SQLITE, database=str(folder / FILE_NAME))


def _sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ValueError("SQLite needs a file: sqlite:///path/from/the/repository/root or sqlite:////absolute/path")
    if url.query or url.host:
        raise ValueError("an address of SQLite has a path and nothing else: three slashes before it")
    return url.set(drivername=SQLITE, database=str(ROOT / url.database))


def _postgresql(url: URL) -> URL:
    if not url.host or not url.database:
        raise ValueError(f"host or name of the database are missing; the address looks like {_EXAMPLES}")
    known = {"sslmode": "ssl", "ssl": "ssl", "application_name": "application_name"}
    if unknown := sorted(set(url.query) - set(known)):
        raise ValueError(
            f"{len(unknown)} of its parameters are not known here; it may have sslmode and application_name"
        )
    query = {known[name]: value for name, value in url.query.items()}
    if query.get("ssl", "prefer") not in _SSL_MODES:
        raise ValueError(f"sslmode is not one of {', '.join(_SSL_MODES)}")
    return url.set(drivername=POSTGRESQL, query=query)
