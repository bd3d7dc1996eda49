"""The one place that everything passes: nothing secret leaves, in whatever kind of item it hides."""

import asyncio
import gzip
import logging
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any

import pytest
import sentry_sdk
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.envelope import Envelope, Item, PayloadRef

from app.core import sentry
from app.core.contracts import ROOT
from app.core.sentry import configure_sentry
from app.core.sentry.delivery import MAX_REASONS, OTHER, DroppedBy, delivery
from app.core.sentry.rules import load_rules
from app.core.sentry.scrubber import Scrubber
from app.core.sentry.transport import GZIP_LEVEL, CountingTransport, ScrubbedPayload, ScrubbingTransport, make_transport
from tests.support import DSN, RELEASE, Ingest, LoadSettings, MakeApp, RecordingTransport, StartSentry, receiving

Deliver = Callable[..., None]

logger = logging.getLogger(__name__)
router = APIRouter()

# Made here and now, because a stack trace shows the lines of this file.
CANARY = secrets.token_hex(12)
JWT = f"eyJhbGciOiJIUzI1NiJ9.{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(24)}"
NUMBER = str(4111_1111_1111_1111)
CARD = " ".join(NUMBER[start : start + 4] for start in range(0, 16, 4))
EMAIL = f"ada.{secrets.token_hex(4)}@example.com"
PLANTED = (CANARY, JWT, NUMBER, CARD, EMAIL)


class Vault:
    def __repr__(self) -> str:
        return f"Vault(password={CANARY!r}, card={CARD})"


@router.post("/orders")
async def order(request: Request, body: dict[str, Any]) -> None:
    api_key = CANARY
    vault = Vault()
    nested = {"deeper": {"client_secret": CANARY, "note": f"pay with {CARD}"}}
    logger.error("signing in with password=%s and %s", CANARY, JWT)
    logger.info("signing in with password=%s and %s", CANARY, JWT, extra={"refresh_token": CANARY})
    sentry.set_user_context(user_id=7, email=EMAIL, name=CANARY)
    sentry.set_tag("session_id", CANARY)
    sentry.set_context("account", {"password": CANARY, "owner": EMAIL})
    sentry.add_breadcrumb(f"GET https://user:{CANARY}@example.com/?token={CANARY}", data={"secret": CANARY})
    with sentry.start_span("db.query", f"SELECT 1 -- password='{CANARY}'") as span:
        span.set_data("authorization", f"Bearer {CANARY}")
    sentry.capture_message(f"card {CARD}, mail {EMAIL}", extra={"payload": f'{{"password": "{CANARY}"}}'})
    raise RuntimeError(
        f"Authorization: Bearer {CANARY} | {JWT} | {EMAIL} | {vault} {nested} {len(api_key)} {len(body)} {request}"
    )


def place_order(make_app: MakeApp) -> None:
    TestClient(make_app(router), raise_server_exceptions=False).post(
        f"/orders?token={CANARY}&q={EMAIL}",
        json={"password": CANARY, "items": [{"card_number": CARD}], "comment": f"write to {EMAIL}"},
        headers={"Authorization": f"Bearer {CANARY}", "Cookie": f"sessionid={CANARY}", "X-Api-Key": CANARY},
    )


def assert_clean(raw: bytes) -> None:
    """Show the surroundings of each secret that is left."""
    text = raw.decode()
    assert [text[max(0, at - 80) : at + 40] for secret in PLANTED if (at := text.find(secret)) >= 0] == []


@pytest.mark.parametrize("environment", ["development", "production"])
def test_secrets_of_a_request_never_leave(environment: str, start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry(ENVIRONMENT=environment, SENTRY_TRACES_SAMPLE_RATE="1")

    place_order(make_app)

    sent.wait_for_types("event", "log", "transaction")
    assert len(sent.events) == 3
    assert_clean(sent.raw)


def test_streamed_spans_are_scrubbed_although_their_hook_could_not_drop_them(start_sentry: StartSentry) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a hook is broken")

    sent = start_sentry(options={"trace_lifecycle": "stream", "before_send_span": fail})

    with sentry_sdk.traces.start_span(f"token={CANARY}", attributes={"db.password": CANARY, "note": EMAIL}):
        pass

    sent.wait_for_types("span")
    assert_clean(sent.raw)


def test_what_is_not_secret_survives(start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry()

    place_order(make_app)

    error = sent.events[-1]
    assert error["request"]["method"] == "POST"
    assert error["request"]["headers"]["content-type"] == "application/json"
    assert error["request"]["data"]["items"] == [{"card_number": "[Filtered]"}]
    assert error["request"]["data"]["comment"] == "write to [Filtered:email]"
    assert error["user"] == {"id": 7}
    assert error["transaction"] == "/orders"
    assert error["exception"]["values"][-1]["value"].startswith("Authorization: [Filtered:header]")


@pytest.mark.parametrize("allowed", ["false", "true"])
def test_with_personal_data_allowed_secrets_still_never_leave(
    allowed: str, start_sentry: StartSentry, make_app: MakeApp
) -> None:
    sent = start_sentry(SENTRY_SEND_DEFAULT_PII=allowed)

    place_order(make_app)

    assert (EMAIL.encode() in sent.raw) is (allowed == "true")
    assert JWT.encode() not in sent.raw
    assert CARD.encode() not in sent.raw


def test_metrics_check_ins_and_sessions_are_scrubbed(start_sentry: StartSentry) -> None:
    sent = start_sentry(options={"environment": EMAIL})

    sentry_sdk.metrics.count("orders", 1, attributes={"token": CANARY, "note": EMAIL})
    sentry_sdk.crons.capture_checkin(monitor_slug=f"nightly-{EMAIL}", status="ok")
    sentry_sdk.get_isolation_scope().start_session(session_mode="application")
    sentry_sdk.get_isolation_scope().end_session()

    sent.wait_for_types("trace_metric", "check_in")
    assert {"session", "sessions"} & set(sent.types)
    assert_clean(sent.raw)


def test_a_metric_keeps_the_shape_of_its_attributes(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    sentry_sdk.metrics.count("orders", 1, attributes={"token": CANARY, "shop": "north"})

    [batch] = sent.items("trace_metric")
    attributes = batch["items"][0]["attributes"]
    assert attributes["token"] == {"value": "[Filtered]", "type": "string"}
    assert attributes["shop"] == {"value": "north", "type": "string"}


def test_text_attachments_are_scrubbed_and_other_bytes_stay_here(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    scope = sentry_sdk.get_isolation_scope()
    scope.add_attachment(bytes=f"password={CANARY}".encode(), filename=f"{EMAIL}.txt", content_type="text/plain")
    scope.add_attachment(bytes=b"\x00" + CANARY.encode(), filename="core.bin")
    for encoding in ("utf-16", "utf-16-le"):
        scope.add_attachment(bytes=CANARY.encode(encoding), filename="wide.txt", content_type="text/plain")

    sentry.capture_message("with attachments")

    assert sent.types.count("attachment") == 1
    assert b"password=[Filtered]" in sent.raw
    assert_clean(sent.raw)
    assert ("before_send", "attachment") in sent.lost
    assert delivery.report().dropped == {"scrubber: binary": 3}


def test_ids_that_look_like_card_numbers_survive(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    sentry_sdk.capture_event({"message": "look", "contexts": {"trace": {"trace_id": NUMBER * 2, "span_id": NUMBER}}})

    assert sent.events[0]["contexts"]["trace"]["span_id"] == NUMBER


def chunk_of_a_profile(samples: int) -> dict[str, Any]:
    """What the SDK sends of a process with ten threads."""
    sample = {"timestamp": 1_764_406_000.25, "stack_id": 1}
    return {
        "profile": {
            "frames": [{"function": "work"}, {"function": f"connect token={CANARY}"}],
            "stacks": [[0], [1, 0]],
            "samples": [{**sample, "thread_id": str(140_234_567_890_120 + number % 10)} for number in range(samples)],
            "thread_metadata": {"140234567890120": {"name": f"worker 7 {JWT}"}},
        }
    }


def send_profile(chunk: dict[str, Any]) -> None:
    transport = sentry_sdk.get_client().transport
    assert transport
    transport.capture_envelope(Envelope(items=[Item(PayloadRef(json=chunk), type="profile_chunk")]))


def test_a_long_profile_arrives_whole_and_scrubbed(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    # A minute, a hundred times a second.
    chunk = chunk_of_a_profile(60_000)
    send_profile(chunk)

    [arrived] = sent.items("profile_chunk")
    assert arrived["profile"]["samples"] == chunk["profile"]["samples"]
    assert arrived["profile"]["stacks"] == [[0], [1, 0]]
    assert [frame["function"] for frame in arrived["profile"]["frames"]] == ["work", "connect token=[Filtered]"]
    assert arrived["profile"]["thread_metadata"]["140234567890120"]["name"].startswith("worker 7 ")
    assert_clean(sent.raw)


@pytest.mark.parametrize(
    ("table", "entry"),
    [
        ("stacks", [2]),
        ("stacks", [CANARY]),
        ("stacks", [int(NUMBER)]),
        ("samples", {"timestamp": 1.5, "thread_id": "7", "stack_id": 2}),
        ("samples", {"timestamp": 1.5, "thread_id": CANARY + "x", "stack_id": 0}),
        ("samples", {"timestamp": CANARY, "thread_id": "7", "stack_id": 0}),
        ("samples", {"timestamp": 1.5, "thread_id": "7", "stack_id": 0, "note": CANARY}),
    ],
)
def test_a_profile_with_anything_but_numbers_among_its_numbers_stays_here(
    table: str, entry: object, start_sentry: StartSentry
) -> None:
    sent = start_sentry()
    chunk = chunk_of_a_profile(1)
    chunk["profile"][table].append(entry)
    with pytest.raises(ValueError, match="something else"):
        send_profile(chunk)
    assert "profile_chunk" not in sent.types


class BrokenScrubber(Scrubber):
    def scrub(self, value: Any) -> Any:
        raise RuntimeError(f"cannot scrub {value}")


def test_what_cannot_be_scrubbed_is_dropped_and_counted(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    transport = sentry_sdk.get_client().transport
    assert isinstance(transport, ScrubbingTransport)
    transport._scrubber = BrokenScrubber(transport._scrubber._rules)

    sentry.capture_message("cannot be scrubbed")

    assert sent.raw == b""
    assert ("internal_sdk_error", "error") in sent.lost
    assert list(delivery.report().dropped) == ["scrubber: failed"]


def test_what_fails_in_the_worker_is_dropped_there(start_sentry: StartSentry, monkeypatch: pytest.MonkeyPatch) -> None:
    start_sentry()
    transport = sentry_sdk.get_client().transport
    assert isinstance(transport, RecordingTransport)
    handed_over: list[Envelope] = []
    monkeypatch.setattr(transport.recorder, "capture_envelope", handed_over.append)

    transport.capture_envelope(Envelope(items=[Item(PayloadRef(json={"weird": {1, 2}}), type="event")]))
    transport.capture_envelope(Envelope(items=[Item(PayloadRef(json={"huge": 10**5000}), type="event")]))

    assert [item.get_bytes() for envelope in handed_over for item in envelope] == [
        b'{"weird":"[Filtered:type]"}',
        b'{"huge":"[Filtered:length]"}',
    ]


def test_the_payload_of_the_caller_is_not_changed(start_sentry: StartSentry) -> None:
    start_sentry()
    transport = sentry_sdk.get_client().transport
    assert transport
    payload = {"password": CANARY, "list": [CARD]}

    transport.capture_envelope(Envelope(items=[Item(PayloadRef(json=payload), type="event")]))

    assert payload == {"password": CANARY, "list": [CARD]}


def test_scrubbing_happens_off_the_event_loop(start_sentry: StartSentry) -> None:
    start_sentry()
    transport = sentry_sdk.get_client().transport
    assert isinstance(transport, RecordingTransport)
    handed_over: list[Envelope] = []

    async def capture() -> None:
        transport.recorder.capture_envelope = handed_over.append  # type: ignore[assignment, method-assign]
        sentry.capture_message("later")

    asyncio.run(capture())

    assert all(item.payload.bytes is None for envelope in handed_over for item in envelope)
    assert handed_over


def test_no_name_in_the_settings_takes_from_sentry_what_it_sorts_by(start_sentry: StartSentry) -> None:
    sent = start_sentry(SENTRY_SENSITIVE_KEYS="type,id,timestamp,exception,values,items,trace,contexts,length")

    sentry.capture_message("still arrives", extra={"order_id": "7-north", "kind": {"type": "stays"}})
    with sentry.start_transaction("GET /", op="http.server"):
        pass
    logging.getLogger("app.orders").info("still arrives")

    sent.wait_for_types("event", "transaction", "log")
    [event] = sent.events
    assert len(event["event_id"]) == len(event["contexts"]["trace"]["trace_id"]) == 32
    assert event["extra"]["order_id"] == "[Filtered]"


def test_the_projects_own_names_are_redacted() -> None:
    transport = make_transport(["loyalty_card"])

    assert issubclass(transport, ScrubbingTransport)
    scrubber = Scrubber(load_rules(), extra_keys=transport.extra_keys)
    assert scrubber.scrub({"loyaltyCard": "north", "loyalty": 3}) == {"loyaltyCard": "[Filtered]", "loyalty": 3}


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    with receiving() as server:
        yield server


@pytest.fixture
def deliver(load: LoadSettings) -> Deliver:
    """Return a function that sends messages over HTTP, one at a time."""

    def send(ingest: Ingest, count: int = 1) -> None:
        settings = load(SENTRY_DSN=ingest.dsn, SENTRY_PROFILES_SAMPLE_RATE="0")
        configure_sentry(settings, RELEASE, transport=ScrubbingTransport, enable_logs=False)
        for number in range(count):
            sentry_sdk.capture_event({"message": f"number {number}"})
            sentry_sdk.flush(60)

    return send


def test_what_arrives_is_counted(ingest: Ingest, deliver: Deliver) -> None:
    deliver(ingest, count=3)

    report = delivery.report()
    assert (report.sent, report.last_error, report.dropped) == (3, None, {})
    assert report.last_delivery
    assert report.last_delivery.tzinfo is UTC
    assert gzip.decompress(ingest.requests[0].body).startswith(b"{")


@pytest.mark.parametrize(
    ("status", "dropped"),
    [
        (500, {"transport: network_error": 1}),
        (413, {"transport: send_error": 1}),
        (302, {"transport: network_error": 1}),
        (429, {"transport: rate_limited": 1}),
    ],
)
def test_what_sentry_refuses_is_counted_once(
    status: int, dropped: dict[str, int], ingest: Ingest, deliver: Deliver
) -> None:
    ingest.status = status

    deliver(ingest)

    report = delivery.report()
    assert (report.sent, report.last_error, report.dropped) == (0, f"HTTP {status}", dropped)


def test_what_is_not_sent_for_a_rate_limit_is_counted(ingest: Ingest, deliver: Deliver) -> None:
    ingest.headers = {"X-Sentry-Rate-Limits": "60:error:organization"}

    deliver(ingest, count=3)

    report = delivery.report()
    assert (report.sent, report.dropped) == (1, {"transport: ratelimit_backoff": 2})


def test_an_event_survives_a_kept_connection_that_the_other_side_closes(ingest: Ingest, deliver: Deliver) -> None:
    deliver(ingest)
    ingest.closes_once = True

    deliver(ingest)

    report = delivery.report()
    assert (report.sent, report.last_error, report.dropped) == (2, None, {})


def test_an_ingest_that_closes_every_connection_is_asked_twice(ingest: Ingest, deliver: Deliver) -> None:
    ingest.closes = True

    deliver(ingest)

    report = delivery.report()
    assert (report.sent, report.last_error) == (0, "ProtocolError")
    assert report.dropped == {"transport: network_error": 1}
    events = [request for request in ingest.requests if b"number 0" in gzip.decompress(request.body)]
    assert len(events) == 2


def test_an_ingest_that_is_away_is_named_by_the_kind_of_error_alone(deliver: Deliver) -> None:
    with receiving() as gone:
        pass

    deliver(gone)

    report = delivery.report()
    assert report.last_error == "MaxRetryError"
    assert report.dropped == {"transport: network_error": 1}


def test_what_fails_in_the_worker_is_counted(ingest: Ingest, deliver: Deliver) -> None:
    class Weird(PayloadRef):
        def get_bytes(self) -> bytes:
            raise RuntimeError("cannot be scrubbed")

    deliver(ingest, count=0)
    transport = sentry_sdk.get_client().transport
    assert isinstance(transport, ScrubbingTransport)

    transport._inner.capture_envelope(Envelope(items=[Item(Weird(), type="event")]))
    transport.flush(10)

    assert delivery.report().dropped == {"scrubber: failed": 1}


def test_envelopes_are_compressed_lightly() -> None:
    transport = CountingTransport({**DEFAULT_OPTIONS, "dsn": DSN})

    assert (transport._compression_algo, transport._compression_level) == ("gzip", GZIP_LEVEL)


@pytest.mark.parametrize("proxy", ["http://proxy.example.com:none", "http://[proxy:3128", "proxy.example.com:99999999"])
def test_a_proxy_that_is_none_does_not_stop_the_start(
    proxy: str, ingest: Ingest, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)

    deliver(ingest)

    assert len(ingest.requests) == 1
    assert [text for text in caplog.messages if text.startswith("HTTP_PROXY or HTTPS_PROXY: ")]
    assert "proxy.example.com:none" not in caplog.text


def test_parts_and_decisions_are_no_losses_and_batches_are_many() -> None:
    transport = CountingTransport({**DEFAULT_OPTIONS, "dsn": DSN})

    transport.record_lost_event("sample_rate", "transaction")
    transport.record_lost_event("queue_overflow", item=Item(PayloadRef(json={"spans": [{}]}), type="transaction"))
    transport.record_lost_event(
        "queue_overflow", item=Item(PayloadRef(json={}), headers={"item_count": 4, "type": "log"})
    )

    assert delivery.report().dropped == {"transport: queue_overflow": 5}


def test_what_is_lost_anyway_is_not_scrubbed_to_be_measured() -> None:
    transport = CountingTransport({**DEFAULT_OPTIONS, "dsn": DSN})
    payload = ScrubbedPayload({"items": [{}, {}]}, lambda value: pytest.fail(f"{value} was scrubbed"))

    transport.record_lost_event("queue_overflow", item=Item(payload, headers={"item_count": 2, "type": "log"}))

    assert dict(transport._discarded_events) == {("log_item", "queue_overflow"): 2}
    assert delivery.report().dropped == {"transport: queue_overflow": 2}


def test_reasons_are_bounded() -> None:
    by: DroppedBy = "filter"
    for number in range(MAX_REASONS + 5):
        delivery.count_dropped(by, f"reason {number}")

    assert len(delivery.report().dropped) == MAX_REASONS + 1
    assert delivery.report().dropped[OTHER] == 5


def test_counting_is_safe_in_many_threads() -> None:
    def count() -> None:
        for _ in range(500):
            delivery.count_dropped("limiter", "burst")
            delivery.count_sent()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (delivery.report().sent, delivery.report().dropped) == (2000, {"limiter: burst": 2000})


FORK = """
import os
from app.core.sentry.delivery import delivery

delivery.count_sent(5)
with delivery._lock:
    child = os.fork()
    if not child:
        delivery.count_sent()
        print(delivery.report().sent)
        os._exit(0)
os.waitpid(child, 0)
print(delivery.report().sent)
"""


def test_a_forked_worker_counts_for_itself() -> None:
    forked = [sys.executable, "-u", "-c", FORK]

    process = subprocess.run(forked, cwd=ROOT / "backend", capture_output=True, text=True, timeout=60, check=True)

    assert process.stdout.split() == ["1", "5"]
