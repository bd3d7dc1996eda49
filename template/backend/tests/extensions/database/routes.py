"""Routes that use a database in ways of their own: slowly, often, wrongly. ``SECRET`` and ``NUMBER`` must not leave."""

import asyncio
import logging

from fastapi import APIRouter
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.extensions.database import Session
from app.extensions.database.models import Item

SECRET = "Rumpelstiltskin-of-the-miller"
NUMBER = 47_110_815

router = APIRouter(prefix="/try")
logger = logging.getLogger(__name__)

# Some seconds of work for each database.
_SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(30)",
}


@router.get("/slow")
async def run_slow_statement(session: Session) -> None:
    """Run a statement that takes longer than it may."""
    await session.execute(text(_SLOW[session.get_bind().dialect.name]))


@router.get("/quick")
async def run_quick_statement(session: Session) -> None:
    """Run a statement."""
    await session.execute(text("SELECT 1"))


@router.get("/full")
async def fill_disk(session: Session) -> None:
    """Write more than fits into an SQLite file that may not grow."""
    await session.execute(text("PRAGMA max_page_count = 1"))
    session.add_all([Item(name=f"{SECRET} {number:060}") for number in range(200)])
    await session.flush()


@router.get("/literal")
async def run_statement_with_literal(session: Session) -> None:
    """Run a statement with values in its text, which nobody should write."""
    await session.execute(text(f"SELECT id FROM items WHERE name = '{SECRET}' AND id = {NUMBER}"))  # noqa: S608 on purpose


@router.get("/parameter")
async def run_statement_with_parameter(session: Session) -> None:
    """Run a statement with a value beside it."""
    await session.scalars(select(Item).where(Item.name == SECRET))


@router.get("/duplicate")
async def write_duplicate(session: Session) -> None:
    """Break a constraint and do not say so."""
    session.add_all([Item(name=SECRET), Item(name=SECRET)])
    await session.flush()


@router.get("/missing")
async def write_nothing(session: Session) -> None:
    """Break another constraint, about which PostgreSQL quotes the whole row."""
    statement = text("INSERT INTO items (id, name, created_at) VALUES (:number, :name, NULL)")
    await session.execute(statement, {"number": NUMBER, "name": SECRET})


@router.get("/wrong-table")
async def read_wrong_table(session: Session) -> None:
    """Use a table that is not there."""
    await session.execute(text("SELECT :name FROM nowhere"), {"name": SECRET})


@router.get("/wrong-column")
async def read_wrong_column(session: Session) -> None:
    """Forget the quotes of a literal, so that the database takes it for a name and says so."""
    await session.execute(text(f'SELECT id FROM items WHERE nowhere."{SECRET}" = 1'))  # noqa: S608 on purpose


@router.get("/wrong-syntax")
async def run_nonsense(session: Session) -> None:
    """Make a mistake in front of a value."""
    await session.execute(text(f"SELECT id FROM items WHERE WHERE '{SECRET}'"))  # noqa: S608 on purpose


@router.get("/wrong-type")
async def read_wrong_type(session: Session) -> None:
    """Give a text where a number is wanted: the driver quotes it."""
    await session.execute(text("SELECT id FROM items WHERE id = abs(:number)"), {"number": SECRET})
    await session.execute(text("SELECT json_extract(:text, '$.x')"), {"text": SECRET})


@router.get("/wrong-text")
async def read_wrong_text(session: Session) -> None:
    """Give a text that is no number: here the server quotes it."""
    await session.execute(text("SELECT CAST(CAST(:text AS text) AS int)"), {"text": SECRET})
    await session.execute(text("SELECT json_extract(:text, '$.x')"), {"text": SECRET})


@router.get("/raised")
async def raise_in_database(session: Session) -> None:
    """Fail in a function of PostgreSQL, which says what it likes; SQLite has none and fails too."""
    await session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'no % today', '{SECRET}'; END $$"))


@router.get("/logged")
async def log_error(session: Session) -> None:
    """Log an error of the database as people do."""
    try:
        await session.execute(text("SELECT :name FROM nowhere"), {"name": SECRET})
    except DBAPIError as error:
        logger.exception("It failed: %s", error)  # noqa: TRY401 as people do
        await session.rollback()


@router.get("/repeated")
async def repeat_statement(session: Session, times: int) -> None:
    """Ask for each item by itself."""
    for number in range(times):
        await session.execute(select(Item.name).where(Item.id == number))


@router.get("/waiting")
async def hold_connection(session: Session) -> None:
    """Hold a connection until somebody gives up."""
    await session.execute(text("SELECT 1"))
    await asyncio.sleep(30)


@router.get("/swallowed-by-commit")
async def fail_at_commit(session: Session) -> dict[str, str]:
    """Succeed, and fail at the commit that follows."""
    session.add_all([Item(name=SECRET), Item(name=SECRET)])
    return {"status": "created"}
