"""What Sentry gets of a database: spans, errors and notes, and no value in any of them."""

import pytest

from app.core.sentry.delivery import delivery
from tests.extensions.database.conftest import Connect, StartSending
from tests.extensions.database.routes import NUMBER, SECRET, router
from tests.support import Payload, Sent, values

SECRETS = (SECRET.encode(), str(NUMBER).encode())


def spans(sent: Sent) -> list[Payload]:
    (transaction,) = sent.transactions
    found: list[Payload] = transaction["spans"]
    return [span for span in found if span["op"] == "db"]


def expect_no_values(sent: Sent) -> None:
    raw = sent.raw
    assert [secret for secret in SECRETS if secret in raw] == []


def test_a_request_contains_the_spans_of_its_statements(
    connect: Connect, url: str, start_sending: StartSending, caplog: pytest.LogCaptureFixture
) -> None:
    del caplog
    client = connect(url)
    sent = start_sending()
    trace = "0af7651916cd43dd8448eb211c80319c"

    client.get("/api/v1/items", headers={"sentry-trace": f"{trace}-b7ad6b7169203331-1"})

    (transaction,) = sent.transactions
    assert transaction["transaction"] == "/api/v1/items"
    assert transaction["contexts"]["trace"]["trace_id"] == trace
    found = [span for span in spans(sent) if "items" in span["description"]]
    assert len(found) == 2
    assert {span["trace_id"] for span in found} == {trace}
    assert "ORDER BY items.id DESC" in found[0]["description"]
    assert found[1]["description"] == "SELECT count(*) AS count_1 FROM items"
    kind = "sqlite" if url.startswith("sqlite") else "postgresql"
    assert {span["data"]["db.system"] for span in found} == {kind}
    assert {span["origin"] for span in found} == {"auto.db.sqlalchemy"}
    # The name of the database without the folder that it lies in.
    assert "/" not in found[0]["data"]["db.name"]


@pytest.mark.parametrize("path", ["literal", "parameter"])
def test_a_span_shows_the_statement_without_values(
    connect: Connect, url: str, start_sending: StartSending, path: str
) -> None:
    client = connect(url, router)
    sent = start_sending()

    assert client.get(f"/try/{path}").status_code == 200

    descriptions = [span["description"] for span in spans(sent)]
    if path == "literal":
        assert "SELECT id FROM items WHERE name = ? AND id = ?" in descriptions
    else:
        assert any(text.startswith("SELECT items.id, items.name") for text in descriptions)
    expect_no_values(sent)


@pytest.mark.parametrize(
    "path",
    [
        "duplicate",
        "missing",
        "wrong-table",
        "wrong-column",
        "wrong-syntax",
        "wrong-type",
        "wrong-text",
        "raised",
        "swallowed-by-commit",
    ],
)
def test_a_bug_is_one_event_without_values(connect: Connect, url: str, start_sending: StartSending, path: str) -> None:
    client = connect(url, router)
    sent = start_sending(SENTRY_REQUEST_BODIES="true")

    response = client.get(f"/try/{path}")

    assert response.status_code == 500
    (event,) = sent.events
    assert response.json()["event_id"] == event["event_id"]
    assert values(event)[-1]["module"] == "sqlalchemy.exc"
    assert event["breadcrumbs"]["values"], "the statements before"
    expect_no_values(sent)


def test_the_event_of_a_constraint_says_which_one(connect: Connect, url: str, start_sending: StartSending) -> None:
    client = connect(url, router)
    sent = start_sending()

    client.get("/try/duplicate")

    (event,) = sent.events
    error = values(event)[-1]
    assert error["type"] == "IntegrityError"
    assert "INSERT INTO items (name, created_at) " in error["value"]
    if url.startswith("sqlite"):
        assert "UNIQUE constraint failed: items.name" in error["value"]
    else:
        assert "table items, constraint uq_items_name" in error["value"]


def test_an_error_that_is_logged_has_no_values(
    connect: Connect, url: str, start_sending: StartSending, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(url, router)
    sent = start_sending()

    assert client.get("/try/logged").status_code == 200

    (event,) = sent.events
    assert event["logentry"]["message"] == "It failed: %s"
    assert any("It failed: " in log["body"] for log in sent.logs)
    expect_no_values(sent)
    assert "FROM nowhere" in caplog.text
    assert SECRET not in caplog.text


def test_a_slow_statement_is_a_line_a_note_and_a_tag(
    connect: Connect, url: str, start_sending: StartSending, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(url, router, DATABASE_SLOW_STATEMENT="0.2", DATABASE_STATEMENT_TIMEOUT="0.5")
    sent = start_sending()

    assert client.get("/try/slow").status_code == 503

    (transaction,) = sent.transactions
    assert transaction["tags"]["db.slow"] == "true"
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("A statement took ")]
    assert len(lines) == 1
    assert lines[0].endswith("SELECT pg_sleep(?)" if url.startswith("postgres") else "FROM n) SELECT count(*) FROM n")
    assert any(log["body"] == lines[0] for log in sent.logs)
    assert sent.events == []
    assert delivery.report().dropped == {"filter: expected-failure": 1}


@pytest.mark.parametrize("times", [9, 10, 40])
def test_a_statement_that_is_repeated_is_told_once(
    connect: Connect, url: str, start_sending: StartSending, caplog: pytest.LogCaptureFixture, times: int
) -> None:
    client = connect(url, router)
    sent = start_sending()

    client.get("/try/repeated", params={"times": times})
    client.get("/api/v1/items")

    told = [record for record in caplog.records if record.getMessage().startswith("The same statement ran ")]
    repeated, list_ = sent.transactions
    assert len(told) == (times >= 10)
    assert repeated["tags"].get("db.repeated") == ("true" if times >= 10 else None)
    assert "db.repeated" not in list_["tags"]
    if told:
        assert "10 times or more in one request: SELECT items.name FROM items WHERE items.id = " in told[0].getMessage()
        assert any(log["body"] == told[0].getMessage() for log in sent.logs)


def test_the_readiness_check_leaves_no_trace(connect: Connect, url: str, start_sending: StartSending) -> None:
    client = connect(url)
    sent = start_sending()

    client.get("/health/ready")

    assert (sent.events, sent.transactions) == ([], [])


def test_nothing_of_the_address_leaves(connect: Connect, postgresql_url: str, start_sending: StartSending) -> None:
    client = connect(postgresql_url, router)
    sent = start_sending()

    client.get("/try/wrong-table")
    client.get("/api/v1/items")

    for part in (b"p@ss/word", b"p%40ss", postgresql_url.encode()):
        assert part not in sent.raw


def test_it_works_the_same_while_sentry_is_off(connect: Connect, url: str) -> None:
    client = connect(url, router)

    assert client.get("/try/repeated", params={"times": 20}).status_code == 200
    assert client.get("/try/duplicate").status_code == 500
