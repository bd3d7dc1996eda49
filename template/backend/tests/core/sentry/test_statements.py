"""SQL statements: what stays of them."""

import pytest
import sentry_sdk
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.sentry import start_transaction
from app.core.sentry.statements import LONGEST_SHAPE, LONGEST_STATEMENT, statement_shape
from tests.support import StartSentry

SECRET = "hunter2"

SHAPES = [
    ("SELECT id FROM items WHERE name = 'hunter2'", "SELECT id FROM items WHERE name = ?"),
    ("SELECT id\n  FROM items\tWHERE name='it''s hunter2'", "SELECT id FROM items WHERE name=?"),
    ("select 1, 1.5e3, .5, 0xFF, 1_000", "select ?"),
    ("SELECT a FROM t WHERE a IN ($1, $2, $3)", "SELECT a FROM t WHERE a IN (?)"),
    (
        "SELECT a FROM t WHERE a = :name AND b = %(b)s AND c = %s",
        "SELECT a FROM t WHERE a = :name AND b = %(b)s AND c = %s",
    ),
    ("INSERT INTO t (a, b) VALUES (?, ?), (?, ?), (3, 'x')", "INSERT INTO t (a, b) VALUES (?)"),
    ("SELECT a::text FROM t WHERE active = TRUE AND b IS NULL", "SELECT a::text FROM t WHERE active = ? AND b IS NULL"),
    (
        'SELECT "order".id AS "Id" FROM "order" JOIN "user" ON 1=1',
        'SELECT "order".id AS "Id" FROM "order" JOIN "user" ON ?=?',
    ),
    ('SELECT id FROM items WHERE name = "hunter2"', "SELECT id FROM items WHERE name = ?"),
    (
        'SELECT id FROM items WHERE name IS DISTINCT FROM "hunter2"',
        "SELECT id FROM items WHERE name IS DISTINCT FROM ?",
    ),
    ('SELECT id FROM "hunter2 with spaces"', "SELECT id FROM ?"),
    ("SELECT $$hunter2$$, $a$hunter2 $$ $a$", "SELECT ?"),
    ("SELECT E'hunter2', N'hunter2', x'ff', U&'hunter2', date '2020-01-01'", "SELECT ?, date ?"),
    ("SELECT 1 -- hunter2\nFROM t /* hunter2 */ WHERE a", "SELECT ? FROM t WHERE a"),
    ("SELECT 1 -- hunter2\r\nFROM t -- hunter2", "SELECT ? FROM t"),
    ("SET LOCAL app.tenant TO hunter2, 'x'", "SET LOCAL app.tenant TO ?"),
    ("SET app.tenant = hunter2; SELECT a FROM t", "SET app.tenant = ?; SELECT a FROM t"),
    ("PRAGMA key = hunter2", "PRAGMA key = ?"),
    ("PRAGMA key(hunter2)", "PRAGMA key(?)"),
    ("UPDATE t SET a = b WHERE c = d", "UPDATE t SET a = b WHERE c = d"),
    ("", ""),
    ("  COMMIT  ", "COMMIT"),
]

UNREADABLE = [
    "SELECT 'hunter2",
    "SELECT 'hunter2\\' , 'x'",
    'SELECT "hunter2',
    "SELECT $x$hunter2",
    "SELECT /* hunter2",
    # A comment ends here for PostgreSQL, and goes on for SQLite.
    "SELECT 1 -- x\r 'a\nhunter2', 'b' -- '",
    "SELECT /* a /* hunter2 */ b */ 1",
    "SELECT 12hunter2",
    "SELECT \0hunter2",
    "SELECT hunter2\\",
    "SELECT {hunter2}",
    f"SELECT '{'x' * LONGEST_STATEMENT}', hunter2",
]


@pytest.mark.parametrize(("statement", "shape"), SHAPES)
def test_values_go_and_names_stay(statement: str, shape: str) -> None:
    assert statement_shape(statement) == shape


@pytest.mark.parametrize("statement", UNREADABLE)
def test_of_what_is_not_plain_only_the_verb_stays(statement: str) -> None:
    assert statement_shape(statement) == "SELECT (not shown)"


def test_what_is_no_statement_is_not_shown() -> None:
    assert statement_shape("hunter2'") == "(not shown)"
    assert statement_shape("selection'") == "(not shown)"


def test_a_long_shape_is_cut_between_words() -> None:
    shape = statement_shape("SELECT " + ", ".join(f"column_{number}" for number in range(1000)))

    assert len(shape) <= LONGEST_SHAPE + 2
    assert shape.endswith(", …")


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@given(
    st.text(min_size=1),
    st.sampled_from(["SELECT {}", "UPDATE t SET a = {} WHERE b = 1", "INSERT INTO t VALUES ({}, 2)"]),
)
@example("'; DROP TABLE t; --", "SELECT {}")
@example("\\", "SELECT {}")
def test_no_string_leaves(text: str, template: str) -> None:
    """A mark in the middle of any text is never seen, whatever stands around it."""
    statement = template.format(quoted(text + "hunter2" + text))

    assert SECRET not in statement_shape(statement)


@given(st.integers(min_value=10), st.floats(allow_nan=False, allow_infinity=False, min_value=10))
def test_no_number_leaves(whole: int, broken: float) -> None:
    shape = statement_shape(f"SELECT a FROM t WHERE b = {whole} AND c = -{broken!r}")  # noqa: S608 nothing runs it

    assert shape == "SELECT a FROM t WHERE b = ? AND c = -?"


@given(st.text(alphabet="'\"$-/*\\`x \n;()1?:%a", max_size=60))
@example("$$'$$'")
@example("--'\n'")
def test_what_stays_never_has_a_string_a_number_or_a_comment(text: str) -> None:
    shape = statement_shape(f"SELECT {text}")

    assert "'" not in shape
    assert "--" not in shape
    assert "/*" not in shape
    assert not any(part.isdigit() for part in shape.replace("(", " ").split())


@given(st.text())
def test_a_shape_stays_as_it_is(text: str) -> None:
    shape = statement_shape(text)

    assert statement_shape(shape) in {shape, "(not shown)"} or shape.endswith(("(not shown)", "…"))


def test_spans_and_notes_of_any_database_lose_their_values(start_sentry: StartSentry) -> None:
    """Also those of code that uses the SDK's other integrations, or makes spans by itself."""
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    statement = "SELECT id FROM t WHERE name = 'Rumpelstiltskin'"

    with start_transaction("work"):
        sentry_sdk.add_breadcrumb(message=statement, category="query")
        with sentry_sdk.start_span(op="db", name=statement) as span:
            span.set_data("db.name", "/srv/rumpelstiltskin/data/app.sqlite3")
        sentry_sdk.capture_message("done")

    (transaction,) = sent.transactions
    assert transaction["spans"][0]["description"] == "SELECT id FROM t WHERE name = ?"
    assert transaction["spans"][0]["data"]["db.name"] == "app.sqlite3"
    assert sent.events[0]["breadcrumbs"]["values"][-1]["message"] == "SELECT id FROM t WHERE name = ?"
    assert "umpelstiltskin" not in str((transaction, sent.events[0]["breadcrumbs"]))
