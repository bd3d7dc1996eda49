"""The endpoint in one process: who may connect, what it answers, and what Sentry gets of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from app.extensions.websocket import handlers
from app.extensions.websocket.connection import MessageLimit
from app.extensions.websocket.messages import Said, ServerMessage
from app.extensions.websocket.room import Room
from app.extensions.websocket.routes import PATH
from app.extensions.websocket.settings import WebSocketSettings
from tests.support import MakeApp, StartSentry, values

OWN = {"origin": "http://testserver"}
CANARY = "canary-4f1c9e77d2"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of this machine out."""
    for name in WebSocketSettings.model_fields:
        monkeypatch.delenv(f"WEBSOCKET_{name}".upper(), raising=False)
    monkeypatch.setitem(WebSocketSettings.model_config, "env_file", None)


@pytest.fixture
def caller(make_app: MakeApp) -> Iterator[TestClient]:
    with TestClient(make_app()) as client:
        yield client


def connect(client: TestClient, **headers: str) -> WebSocketTestSession:
    return client.websocket_connect(PATH, headers={**OWN, **headers})


def ask(session: WebSocketTestSession, message: object) -> Any:
    session.send_text(message if isinstance(message, str) else json.dumps(message))
    return session.receive_json()


def test_what_one_says_everybody_hears(caller: TestClient) -> None:
    with connect(caller) as one, connect(caller) as two:
        first, second = one.receive_json(), two.receive_json()
        assert (first["type"], first["connections"], second["connections"]) == ("welcome", 1, 2)
        assert first["connection_id"] != second["connection_id"]
        one.send_json({"type": "say", "text": "hello"})
        heard = {"type": "said", "sender": first["connection_id"], "text": "hello"}
        assert [one.receive_json(), two.receive_json()] == [heard, heard]
        assert ask(two, {"type": "ping"}) == {"type": "pong", "connections": 2}


def test_who_left_is_forgotten(caller: TestClient) -> None:
    with connect(caller) as stays:
        stays.receive_json()
        with connect(caller) as leaves:
            leaves.receive_json()
        assert ask(stays, {"type": "ping"})["connections"] == 1


@pytest.mark.parametrize(
    ("message", "status", "detail"),
    [
        ("", 422, "Invalid JSON"),
        ("null", 422, "not valid"),
        ("[1]", 422, "not valid"),
        ('{"type": "shout"}', 422, "not valid"),
        ('{"type": "say"}', 422, "text"),
        ('{"type": "say", "text": ""}', 422, "at least 1 character"),
        ('{"type": "say", "text": 5}', 422, "text"),
        ('{"type": "say", "text": "hello", "to": "me"}', 422, "to"),
        ('{"type": "say", "text": "\\ud800"}', 422, "not valid"),
        ("[" * 10_000, 422, "not valid"),
        (json.dumps({"type": "say", "text": "ü" * 2001}), 422, "at most 2000"),
        (json.dumps({"type": "say", "text": "x" * 17_000}), 413, "longer than 16384 bytes"),
    ],
)
def test_a_bad_message_is_answered_and_the_connection_stays(
    caller: TestClient, start_sentry: StartSentry, message: str, status: int, detail: str
) -> None:
    sent = start_sentry()
    with connect(caller) as session:
        session.receive_json()
        answer = ask(session, message)
        assert (answer["type"], answer["status"], answer["event_id"]) == ("error", status, None)
        assert detail in answer["detail"]
        assert ask(session, {"type": "ping"})["type"] == "pong"
    assert sent.events == []


def test_bytes_are_no_message_and_no_failure(caller: TestClient, start_sentry: StartSentry) -> None:
    sent = start_sentry()
    with connect(caller) as session:
        session.receive_json()
        session.send_bytes(b"{}")
        assert session.receive_json()["status"] == 415
        assert ask(session, {"type": "ping"})["type"] == "pong"
    assert sent.events == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example.com"},
        {"origin": "http://testserver.evil.example.com"},
        {"origin": "http://testserver:81"},
        {"origin": "null"},
        {"origin": ""},
    ],
)
def test_a_page_of_another_host_is_refused_ahead_of_the_handshake(
    caller: TestClient, start_sentry: StartSentry, headers: dict[str, str]
) -> None:
    sent = start_sentry()
    with pytest.raises(WebSocketDenialResponse) as refusal, connect(caller, **headers):
        pass
    assert refusal.value.status_code == 403
    assert refusal.value.headers["content-type"] == "application/problem+json"
    assert refusal.value.json()["detail"] == "Pages of this origin may not connect."
    assert sent.events == []


def test_a_page_of_an_allowed_origin_may_connect(make_app: MakeApp) -> None:
    app = make_app(WEBSOCKET_ORIGINS="https://app.example.com")
    with TestClient(app) as client, connect(client, origin="https://app.example.com") as session:
        assert session.receive_json()["type"] == "welcome"


def test_there_are_only_so_many_places_and_they_are_given_back(make_app: MakeApp, start_sentry: StartSentry) -> None:
    sent = start_sentry()
    with TestClient(make_app(WEBSOCKET_MAX_CONNECTIONS="1")) as client:
        for _ in range(3):
            with connect(client) as session:
                session.receive_json()
                with pytest.raises(WebSocketDenialResponse) as refusal, connect(client):
                    pass
                assert (refusal.value.status_code, refusal.value.headers["retry-after"]) == (503, "5")
    assert sent.events == []


def test_who_says_too_much_is_told_so(make_app: MakeApp) -> None:
    with TestClient(make_app(WEBSOCKET_MESSAGES_PER_MINUTE="8")) as client, connect(client) as session:
        session.receive_json()
        answers = [ask(session, {"type": "ping"}) for _ in range(4)]
    assert [answer.get("status") for answer in answers] == [None, None, 429, 429]


def test_the_limit_fills_again() -> None:
    now = 0.0
    limit = MessageLimit(60, clock=lambda: now)
    assert [limit.allows() for _ in range(16)] == [True] * 15 + [False]
    now = 2.0
    assert [limit.allows() for _ in range(3)] == [True, True, False]
    now = 1000.0
    assert [limit.allows() for _ in range(16)] == [True] * 15 + [False]


def test_a_silent_connection_is_closed(make_app: MakeApp, start_sentry: StartSentry) -> None:
    sent = start_sentry()
    with TestClient(make_app(WEBSOCKET_IDLE_SECONDS="1")) as client, connect(client) as session:
        session.receive_json()
        with pytest.raises(WebSocketDisconnect) as end:
            session.receive_json()
    assert end.value.code == 1001
    assert sent.events == []


def test_a_failure_is_one_event_with_the_tags_and_the_connection_stays(
    caller: TestClient, start_sentry: StartSentry
) -> None:
    sent = start_sentry()
    with connect(caller) as session:
        connection_id = session.receive_json()["connection_id"]
        answers = [ask(session, {"type": "break"}) for _ in range(2)]
        assert ask(session, {"type": "ping"})["type"] == "pong"
    assert [answer["status"] for answer in answers] == [500, 500]
    assert [event["event_id"] for event in sent.events] == [answer["event_id"] for answer in answers]
    for event in sent.events:
        assert event["tags"]["websocket"] == "true"
        assert event["tags"]["connection_id"] == connection_id
        assert event["tags"]["http.route"] == PATH
        assert event["tags"]["priority"] == "high"
        (exception,) = values(event)
        assert (exception["type"], exception["value"]) == ("RuntimeError", "The WebSocket broke on purpose")
        assert exception["mechanism"]["handled"] is False


@pytest.mark.parametrize("is_on", [True, False])
def test_a_failure_is_in_the_log_with_its_ids_and_its_place(
    caller: TestClient, start_sentry: StartSentry, caplog: pytest.LogCaptureFixture, *, is_on: bool
) -> None:
    sent = start_sentry() if is_on else None
    with connect(caller) as session:
        connection_id = session.receive_json()["connection_id"]
        event_id = ask(session, {"type": "break"})["event_id"]
    assert (event_id is not None) is is_on
    (record,) = [record for record in caplog.records if record.name == handlers.__name__]
    assert record.getMessage() == f"{PATH} break answered 500 | event_id={event_id}, connection_id={connection_id}"
    assert "RuntimeError: The WebSocket broke on purpose" in caplog.text
    assert sent is None or len(sent.events) == 1


def test_only_open_diagnostics_break_on_demand(make_app: MakeApp, start_sentry: StartSentry) -> None:
    sent = start_sentry()
    with TestClient(make_app(ENVIRONMENT="production")) as client, connect(client) as session:
        session.receive_json()
        assert ask(session, {"type": "break"})["status"] == 404
    assert sent.events == []


def test_each_message_is_a_transaction_of_its_own_and_the_connection_is_none(
    caller: TestClient, start_sentry: StartSentry
) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="1")
    with connect(caller) as session:
        connection_id = session.receive_json()["connection_id"]
        for message in ({"type": "say", "text": "a"}, {"type": "ping"}, {"type": "break"}, {"type": "shout"}):
            ask(session, message)
    assert [row["transaction"] for row in sent.transactions] == [f"{PATH} say", f"{PATH} break"]
    assert len({row["contexts"]["trace"]["trace_id"] for row in sent.transactions}) == 2
    assert [row["contexts"]["trace"]["status"] for row in sent.transactions] == ["ok", "internal_error"]
    for row in sent.transactions:
        assert row["contexts"]["trace"]["op"] == handlers.OPERATION
        assert row["tags"]["websocket"] == "true"
        assert row["tags"]["connection_id"] == connection_id
    (event,) = sent.events
    assert event["contexts"]["trace"]["trace_id"] == sent.transactions[1]["contexts"]["trace"]["trace_id"]


def test_the_rate_decides_about_messages_too(caller: TestClient, start_sentry: StartSentry) -> None:
    sent = start_sentry(SENTRY_TRACES_SAMPLE_RATE="0")
    with connect(caller) as session:
        session.receive_json()
        ask(session, {"type": "say", "text": "a"})
    assert sent.transactions == []


@pytest.fixture
def broken_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it an error to say something in particular."""
    broadcast = Room.broadcast

    def fail(room: Room, message: ServerMessage) -> None:
        broadcast(room, message)
        if isinstance(message, Said) and message.text.endswith("!"):
            raise LookupError("The room broke")

    monkeypatch.setattr(Room, "broadcast", fail)


@pytest.mark.usefixtures("broken_room")
def test_nothing_that_was_said_leaves(caller: TestClient, start_sentry: StartSentry) -> None:
    # In development errors have local variables, which hold messages.
    sent = start_sentry(ENVIRONMENT="development", SENTRY_TRACES_SAMPLE_RATE="1")
    with caller.websocket_connect(f"{PATH}?key={CANARY}", headers=OWN) as session:
        session.receive_json()
        ask(session, {"type": "say", "text": CANARY})
        ask(session, {"type": CANARY})
        ask(session, {"type": "break", CANARY: CANARY})
        ask(session, {"type": "break"})
        ask(session, {"type": "say", "text": f"{CANARY}!"})
        assert session.receive_json()["status"] == 500
    assert len(sent.events) == 2
    assert len(sent.transactions) == 3
    assert CANARY.encode() not in sent.raw


def test_it_works_without_sentry(caller: TestClient) -> None:
    with connect(caller) as session:
        session.receive_json()
        answer = ask(session, {"type": "break"})
    assert (answer["status"], answer["event_id"]) == (500, None)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("MAX_CONNECTIONS", "0", "0 is not a whole number from 1 to 100000"),
        ("MAX_BYTES", "many", "many is not a whole number from 256 to 1000000"),
        ("IDLE_SECONDS", "-1", "-1 is not a whole number from 1 to 86400"),
        ("SEND_SECONDS", "1.5", "1.5 is not a whole number from 1 to 600"),
        ("MESSAGES_PER_MINUTE", "²", "the value is not a whole number from 1 to 100000"),
        ("ORIGINS", "app.example.com", "app.example.com is not an origin like https://app.example.com"),
    ],
)
def test_a_bad_variable_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(f"WEBSOCKET_{name}", value)
    with pytest.raises(ValidationError) as refusal:
        WebSocketSettings()
    assert str(refusal.value.errors()[0]["ctx"]["error"]) == complaint
