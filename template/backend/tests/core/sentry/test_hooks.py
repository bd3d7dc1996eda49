"""The hooks: what they drop, and that they fail closed."""

import asyncio
import json
import logging
from collections.abc import Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
import sentry_sdk
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient

from app.core.sentry import add_breadcrumb, capture_exception, capture_message, hooks
from app.core.sentry.frames import place_of
from app.core.sentry.hooks import closing
from app.core.sentry.limiter import BURST
from tests.support import MakeApp, StartSentry, values

logger = logging.getLogger(__name__)


def fail(*_: object) -> None:
    raise ValueError("a hook is broken")


def test_an_error_in_a_loop_is_sent_a_few_times(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for number in range(BURST + 5):
        try:
            raise ValueError(f"round {number}")
        except ValueError as error:
            capture_exception(error)

    assert len(sent.events) == BURST
    assert sent.lost.count(("before_send", "error")) == 5


def test_an_error_that_was_refused_is_not_sent_when_it_is_logged(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for number in range(BURST + 5):
        try:
            raise ValueError(f"round {number}")
        except ValueError as error:
            ids = {capture_exception(error), capture_exception(error)}
            logger.exception("as a server does with what nobody handled")
        assert ids == ({sent.events[-1]["event_id"]} if number < BURST else {None})

    assert len(sent.events) == BURST


def test_a_message_or_a_log_in_a_loop_is_sent_a_few_times(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for number in range(BURST + 5):
        capture_message(f"round {number}")
        logger.error("round %s", number)

    assert len(sent.events) == 2 * BURST


def test_places_differ_by_line_and_kind() -> None:
    frames = {"frames": [{"in_app": True, "module": "m", "function": "f", "lineno": 1}, {"lineno": 9}]}
    error: Any = {"exception": {"values": [{"type": "ValueError", "stacktrace": frames}]}}
    message: Any = {"threads": {"values": [{"stacktrace": frames}]}, "level": "info"}

    record = logging.LogRecord("server", logging.ERROR, "server.py", 7, "crash", None, None)

    assert place_of(error, {}) == place_of(error, {"log_record": record}) == ("ValueError", None, "m", "f", 1)
    assert place_of({}, {"log_record": record}) == ("log", "server", logging.ERROR, "server.py", 7)
    assert place_of(message, {}) == (None, "info", "m", "f", 1)
    assert place_of({}, {}) == (None, None, None, None, None)


def test_a_check_in_is_never_limited(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    for _ in range(BURST + 1):
        sentry_sdk.crons.capture_checkin(monitor_slug="nightly", status="ok")

    assert len(sent.items("check_in")) == BURST + 1


def test_a_transaction_without_a_route_is_dropped(start_sentry: StartSentry, client: TestClient) -> None:
    sent = start_sentry()

    client.get("/wp-admin/setup.php")
    client.get("/api/v1/sentry-debug")

    assert [transaction["transaction"] for transaction in sent.transactions] == ["/api/v1/sentry-debug"]


JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (JSON, b'{"item": "lamp", "password": "hunter2"}', {"item": "lamp", "password": "[Filtered]"}),
        (f"{JSON}; charset=utf-8", b"[1, 2]", [1, 2]),
        (FORM, b"item=lamp&password=hunter2", {"item": ["lamp"], "password": "[Filtered]"}),
        (JSON, b'{"item": "lam', None),
        (JSON, b"[" * 9_000, None),
        (JSON, b'"' + b"x" * 10_000 + b'"', None),
        (FORM, b"\xff\xfe", None),
        ("text/plain", b"item=lamp", None),
        (JSON, b"", None),
    ],
)
def test_an_error_carries_what_the_application_has_read_of_the_body(
    kind: str, body: bytes, expected: object, start_sentry: StartSentry, make_app: MakeApp
) -> None:
    sent = start_sentry()
    router = APIRouter()

    @router.post("/orders")
    async def order(request: Request) -> None:
        await request.body()
        raise RuntimeError("sold out")

    caller = TestClient(make_app(router), raise_server_exceptions=False)
    caller.post("/orders", content=body, headers={"Content-Type": kind})

    assert sent.events[0]["request"].get("data") == expected


def test_in_production_an_error_carries_no_body(start_sentry: StartSentry, make_app: MakeApp) -> None:
    production = {"ENVIRONMENT": "production"}
    sent = start_sentry(**production)
    router = APIRouter()

    @router.post("/orders")
    async def order(item: dict[str, str]) -> None:
        raise RuntimeError(f"{len(item)} is too much")

    TestClient(make_app(router, **production), raise_server_exceptions=False).post("/orders", json={"item": "lamp"})

    assert "data" not in sent.events[0]["request"]


def test_nobody_waits_for_a_body_that_the_application_does_not_want(
    start_sentry: StartSentry, make_app: MakeApp
) -> None:
    start_sentry()
    app = make_app()
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def request() -> None:
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"content-length", b"200")]
        scope = {"type": "http", "method": "GET", "path": "/health/live", "query_string": b"", "headers": headers}
        await asyncio.wait_for(app(scope, receive, send), timeout=30)

    asyncio.run(request())

    assert sent[0]["status"] == 200


def test_a_body_leaves_with_the_error_and_not_with_the_trace(start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry()
    router = APIRouter()

    @router.post("/orders")
    async def order(item: dict[str, str]) -> None:
        raise RuntimeError(f"{len(item)} is too much")

    TestClient(make_app(router), raise_server_exceptions=False).post("/orders", json={"item": "lamp"})

    assert [event["request"]["data"] for event in sent.events] == [{"item": "lamp"}]
    assert ["data" in transaction["request"] for transaction in sent.transactions] == [False]


CALLER = ("198.51.100.7", 50000)
QUERY = "q=CanaryQuery"
HEADERS = {
    "X-Forwarded-For": "192.0.2.44",
    "X-Custom": "CanaryHeader",
    "Referer": "https://other.example/?r=CanaryReferer",
}
PARTS_OF_A_REQUEST: dict[str, Callable[[Request], object]] = {
    "request": lambda request: request,
    "headers": lambda request: request.headers,
    "dict of headers": lambda request: dict(request.headers),
    "headers in pairs": lambda request: request.headers.items(),
    "headers in a view": lambda request: dict(request.headers).items(),
    "values of headers": lambda request: dict(request.headers).values(),
    "headers in bytes": lambda request: request.headers.raw,
    "scope": lambda request: request.scope,
    "copied scope": lambda request: dict(request.scope),
    "address": lambda request: request.url,
    "text of the address": lambda request: str(request.url),
    "query": lambda request: request.query_params,
    "client": lambda request: request.client,
    "in an object": lambda request: {"deep": [request, request.headers]},
    "too deep": lambda request: {"a": {"b": {"c": {"d": {"e": [dict(request.headers), request.url]}}}}},
}


@pytest.mark.parametrize("name", PARTS_OF_A_REQUEST)
def test_local_variables_show_nothing_of_a_request(name: str, start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry()
    router = APIRouter()

    @router.get("/broken")
    async def fail_with_request(request: Request) -> None:
        part = PARTS_OF_A_REQUEST[name](request)
        raise RuntimeError(f"{type(part).__name__} was no use")

    client = TestClient(make_app(router), raise_server_exceptions=False, client=CALLER)
    client.get(f"/broken?{QUERY}", headers=HEADERS)

    variables = values(sent.events[0])[-1]["stacktrace"]["frames"][-1]["vars"]
    assert "[Filtered:" in json.dumps(variables["part"])
    for secret in (CALLER[0], QUERY, *HEADERS.values()):
        assert secret.encode() not in sent.raw


def test_only_our_own_frames_show_source_and_variables(start_sentry: StartSentry, client: TestClient) -> None:
    sent = start_sentry()

    client.get("/api/v1/sentry-test/error")

    *_, last = frames = values(sent.events[0])[-1]["stacktrace"]["frames"]
    assert last["context_line"] == '    raise RuntimeError("Diagnostics: the backend broke on purpose")'
    assert last["pre_context"][-1] == '    """Fail with an error that nothing handles."""'
    assert len(last["pre_context"]) == len(last["post_context"]) == 5
    assert last["vars"] == {}
    assert len(frames) > 1
    for frame in frames:
        assert ("context_line" in frame) == ("vars" in frame) == frame["in_app"]


def test_code_without_a_file_has_no_source(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    try:
        exec("1 / 0", {"__name__": "app.made_up"})  # noqa: S102 code without a file is what this is about
    except ZeroDivisionError as error:
        capture_exception(error)

    frame = values(sent.events[0])[-1]["stacktrace"]["frames"][-1]
    assert frame["in_app"]
    assert "context_line" not in frame


SECRETS = {
    "X-Api-Key": "CanaryKey",
    "Cookie": "a=1; theme=CanaryCookie",
    "Authorization": "Bearer CanaryBearer",
}
VALUES_OF_A_REQUEST: dict[str, Callable[[Request], object]] = {
    "values of headers": lambda request: list(request.headers.values()),
    "value of a header": lambda request: request.headers["x-api-key"],
    "value of a cookie": lambda request: request.cookies["theme"],
    "credentials": lambda request: request.headers["authorization"].removeprefix("Bearer ").encode(),
    "caller": lambda request: (request.client or CALLER)[0],
}


@pytest.mark.parametrize("name", VALUES_OF_A_REQUEST)
def test_values_of_a_request_are_known_without_their_names(
    name: str, start_sentry: StartSentry, make_app: MakeApp
) -> None:
    sent = start_sentry()
    router = APIRouter()

    @router.get("/broken")
    async def fail_with_value(request: Request) -> None:
        part = VALUES_OF_A_REQUEST[name](request)
        raise RuntimeError(f"{type(part).__name__} was no use")

    client = TestClient(make_app(router), raise_server_exceptions=False, client=CALLER)
    client.get("/broken", headers=SECRETS)

    variables = values(sent.events[0])[-1]["stacktrace"]["frames"][-1]["vars"]
    assert "[Filtered:request]" in json.dumps(variables["part"])
    for secret in (CALLER[0], "CanaryKey", "CanaryCookie", "CanaryBearer"):
        assert secret.encode() not in sent.raw


def test_other_local_variables_stay(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    def fail_with_variables() -> None:
        order = {"type": "lamp", "count": 3}
        pairs = [("a", 1), ("b", 2)]
        raise RuntimeError(f"{len(order)} {len(pairs)}")

    try:
        fail_with_variables()
    except RuntimeError as error:
        capture_exception(error)

    variables = values(sent.events[0])[-1]["stacktrace"]["frames"][-1]["vars"]
    assert variables == {"order": {"type": "'lamp'", "count": "3"}, "pairs": [["'a'", "1"], ["'b'", "2"]]}


PASSWORD = "CanaryPassword"


class Login(NamedTuple):
    user: str
    password: str


def test_parts_of_a_tuple_keep_their_names(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    def fail_with_tuples() -> None:
        login = Login("bob", PASSWORD)
        url = urlsplit(f"https://bob:{PASSWORD}@api.example.com/items")
        raise RuntimeError(f"{len(login)} {len(url)}")

    try:
        fail_with_tuples()
    except RuntimeError as error:
        capture_exception(error)

    variables = values(sent.events[0])[-1]["stacktrace"]["frames"][-1]["vars"]
    assert variables["login"].startswith("Login(user='bob', password=[Filtered")
    assert variables["url"].endswith("@api.example.com/items")
    assert PASSWORD.encode() not in sent.raw


def test_named_parameters_of_a_log_are_left_out_of_its_text(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    logger.error("%(order)s came with %(password)s", {"order": "A-17", "password": PASSWORD})
    logger.error("%s came", {"order": "A-17", "password": PASSWORD})
    sentry_sdk.logger.info("{order} came with {password}", order="A-17", password=PASSWORD)

    assert sent.logs[-1]["body"] == "{order} came with {password}"
    assert sent.logs[-1]["attributes"]["order"]["value"] == "A-17"
    assert sent.events[0]["logentry"]["message"] == "%(order)s came with %(password)s"
    assert sent.events[0]["logentry"]["params"]["order"] == "A-17"
    assert "'order': 'A-17'" in sent.events[1]["logentry"]["formatted"]
    crumbs = [crumb["message"] for crumb in sent.events[1]["breadcrumbs"]["values"]]
    assert "%(order)s came with %(password)s" in crumbs
    assert PASSWORD.encode() not in sent.raw


def test_tags_may_be_pairs(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    event: Any = {"message": "made by hand", "tags": [["tenant", "acme"]]}
    sentry_sdk.capture_event(event)

    assert sent.events[0]["tags"]["tenant"] == "acme"


OPAQUE = {"X-Api-Key": "zq8Kd72mPwX9", "X-Customer-Number": "c/44 71b+z0", "Cookie": "theme=light; sid=Vt5rWw0pLmN"}
KNOWN = ("zq8Kd72mPwX9", "c/44 71b+z0", "c%2F44%2071b%2Bz0", "Vt5rWw0pLmN", "203.0.113.77")


def use_opaque_values(request: Request) -> None:
    key, number = request.headers["x-api-key"], request.headers["x-customer-number"]
    session = request.cookies["sid"]
    address = request.client.host if request.client else ""
    logger.warning("no customer for %s at %s", key, address)
    logger.error("lookup of %s failed", number)
    sentry_sdk.metrics.count("lookups", 1, attributes={"who": f"row {number}"})
    add_breadcrumb(f"row {session}", data={"address": f"/orders/{quote(number, safe='')}"})
    sentry_sdk.set_tag("who", key)
    with sentry_sdk.start_span(op="db", name=f"lookup {session}"):
        pass
    capture_message(f"upload of {address} broke", extra={"note": [f"row {key}"]})
    raise KeyError(key)


@pytest.mark.parametrize("environment", ["development", "production"])
def test_what_a_request_brought_under_a_sensitive_name_is_masked_wherever_it_occurs(
    environment: str, start_sentry: StartSentry, make_app: MakeApp
) -> None:
    variables = {"ENVIRONMENT": environment, "SENTRY_TRACES_SAMPLE_RATE": "1"}
    sent = start_sentry(SENTRY_SENSITIVE_KEYS="customer_number", **variables)
    router = APIRouter()

    @router.get("/lookup")
    def look_up(request: Request) -> None:
        use_opaque_values(request)

    client = TestClient(make_app(router), raise_server_exceptions=False, client=("203.0.113.77", 50000))
    client.get("/lookup", headers=OPAQUE)

    sent.wait_for_types("event", "transaction", "log", "trace_metric")
    assert b"no customer for [Filtered:request] at [Filtered:request]" in sent.raw
    assert not [secret for secret in KNOWN if secret.encode() in sent.raw]


def test_with_personal_data_the_address_may_leave(start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry(SENTRY_SEND_DEFAULT_PII="true")
    router = APIRouter()

    @router.get("/address")
    def report(request: Request) -> None:
        capture_message(f"upload of {request.client.host if request.client else ''} broke")

    TestClient(make_app(router), client=("203.0.113.77", 50000)).get("/address")

    assert sent.events[0]["message"] == "upload of 203.0.113.77 broke"


def test_access_logs_are_neither_breadcrumbs_nor_logs(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    logging.getLogger("uvicorn.access").warning('192.0.2.1:5 - "GET /x?y=z HTTP/1.1" 200')
    logging.getLogger("app").warning("kept")
    capture_message("look at the breadcrumbs")

    [event] = sent.events
    assert [crumb["category"] for crumb in event["breadcrumbs"]["values"]][-1:] == ["app"]
    assert [log["body"] for log in sent.logs][-1:] == ["kept"]


def test_a_breadcrumb_is_dropped_when_its_hook_fails(start_sentry: StartSentry) -> None:
    sent = start_sentry(options={"before_breadcrumb": closing(fail)})

    add_breadcrumb("never examined")
    capture_message("look at the breadcrumbs")

    [event] = sent.events
    assert not event["breadcrumbs"]["values"]


def test_an_event_and_a_transaction_are_dropped_when_a_filter_fails(
    start_sentry: StartSentry, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = start_sentry()
    monkeypatch.setattr(hooks, "matching_filter", fail)

    client.get("/api/v1/sentry-test")

    assert sent.events == []
    assert sent.transactions == []
    assert ("callback_error", "error") in sent.lost
