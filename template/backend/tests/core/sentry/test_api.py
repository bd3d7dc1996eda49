"""The verbs: what business code says, and what is sent."""

import asyncio
import json
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from app.core import sentry
from tests.support import MakeApp, StartSentry, values


def use_every_verb() -> list[str | None]:
    sentry.set_user_context(user_id=42, email="ada@example.com", name="Ada", plan="gold")
    sentry.set_tag("mission_type", "deployment")
    sentry.set_context("mission", {"steps": 3})
    sentry.add_breadcrumb("started", category="mission", level="info", data={"step": 1})
    with sentry.start_transaction(name="process_mission", op="task.run") as transaction:
        transaction.set_tag("mission_id", "m1")
        with sentry.start_span(op="db.query", description="Fetch mission data"), sentry.start_span("cache.set", "Keep"):
            pass
    return [
        sentry.capture_exception(ValueError("broken"), tags={"part": "engine"}, extra={"load": 0.5}, mission="m1"),
        sentry.capture_message("half way", "warning", tags={"part": "engine"}, extra={"load": 0.5}, mission="m1"),
    ]


def test_every_verb_works_without_sentry() -> None:
    assert use_every_verb() == [None, None]
    assert sentry.capture_unhandled(ValueError("broken")) is None
    assert not sentry.is_on()
    assert sentry.current_trace_id() is None
    sentry.flush()


def test_captures_return_the_id_of_what_they_sent(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    ids = use_every_verb()

    assert [event["event_id"] for event in sent.events] == ids


def test_events_carry_what_was_said_before(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    use_every_verb()

    for event in sent.events:
        assert event["user"] == {"id": 42}
        assert event["tags"].items() >= {"mission_type": "deployment", "part": "engine"}.items()
        assert event["contexts"]["mission"] == {"steps": 3}
        assert event["extra"]["load"] == 0.5
        assert event["extra"]["mission"] == "m1"
        [crumb] = [crumb for crumb in event["breadcrumbs"]["values"] if crumb["category"] == "mission"]
        assert (crumb["message"], crumb["level"], crumb["data"]) == ("started", "info", {"step": 1})
    error, message = sent.events
    assert values(error)[-1]["mechanism"]["handled"] is True
    assert (message["message"], message["level"]) == ("half way", "warning")


def test_work_is_traced_with_its_spans(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    use_every_verb()

    [transaction] = sent.transactions
    assert transaction["transaction"] == "process_mission"
    assert transaction["contexts"]["trace"]["op"] == "task.run"
    assert transaction["tags"]["mission_id"] == "m1"
    assert {(span["op"], span["description"]) for span in transaction["spans"]} == {
        ("db.query", "Fetch mission data"),
        ("cache.set", "Keep"),
    }


def test_isolated_work_is_a_trace_of_its_own_and_keeps_to_itself_what_it_says(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    sentry.set_tag("connection", "c1")
    for number in (1, 2):
        with sentry.isolated_work(f"message {number}", "task"):
            sentry.set_tag(f"only_{number}", "yes")
            sentry.capture_message(f"about {number}")

    for number, event, transaction in zip((1, 2), sent.events, sent.transactions, strict=True):
        own = {name for name in event["tags"] if name.startswith("only_")}
        assert own == {f"only_{number}"}
        assert event["tags"]["connection"] == transaction["tags"]["connection"] == "c1"
        assert event["contexts"]["trace"]["trace_id"] == transaction["contexts"]["trace"]["trace_id"]
    assert len({row["contexts"]["trace"]["trace_id"] for row in sent.transactions}) == 2


def test_what_is_said_for_one_event_does_not_stay(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    sentry.capture_message("first", tags={"only": "here"}, extra={"load": 1})
    sentry.capture_message("second")

    first, second = sent.events
    assert first["tags"]["only"] == "here"
    assert "only" not in second["tags"]
    assert "load" not in second.get("extra", {})


@pytest.mark.parametrize(
    ("allowed", "user"),
    [("false", {"id": 42}), ("true", {"id": 42, "email": "ada@example.com", "username": "Ada", "plan": "gold"})],
)
def test_only_the_id_of_a_user_leaves_unless_allowed(
    allowed: str, user: dict[str, object], start_sentry: StartSentry
) -> None:
    sent = start_sentry(SENTRY_SEND_DEFAULT_PII=allowed)

    sentry.set_user_context(user_id=42, email="ada@example.com", name="Ada", plan="gold")
    sentry.capture_message("on behalf of Ada")

    assert sent.events[0]["user"] == user


def test_a_user_can_be_forgotten(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    sentry.set_user_context(user_id=42)
    sentry.set_user_context()
    sentry.capture_message("on nobody's behalf")

    assert "user" not in sent.events[0]


def test_one_request_does_not_see_the_context_of_another(start_sentry: StartSentry, make_app: MakeApp) -> None:
    router = APIRouter()

    @router.get("/as/{user}")
    def act(user: str) -> None:
        if user != "nobody":
            sentry.set_user_context(user_id=user)
            sentry.set_tag("acting", user)
        sentry.capture_message("acted")

    sent = start_sentry()
    client = TestClient(make_app(router))
    client.get("/as/ada")
    client.get("/as/nobody")

    ada, nobody = sent.events
    assert (ada["user"], ada["tags"]["acting"]) == ({"id": "ada"}, "ada")
    assert "user" not in nobody
    assert "acting" not in nobody["tags"]


def test_an_exception_that_was_reported_keeps_its_id(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    error = ValueError("broken")

    assert sentry.capture_exception(error) == sentry.capture_exception(error) == sentry.capture_unhandled(error)
    assert len(sent.events) == 1


@pytest.mark.parametrize(
    ("priority", "level"), [("critical", "fatal"), ("high", "error"), ("medium", "warning"), ("low", "info")]
)
def test_a_priority_is_a_level_and_a_tag(priority: sentry.Priority, level: str, start_sentry: StartSentry) -> None:
    sent = start_sentry()

    sentry.capture_exception(ValueError("broken"), priority=priority)
    sentry.capture_message("half way", priority=priority)

    assert [(event["level"], event["tags"]["priority"]) for event in sent.events] == [(level, priority)] * 2


def test_without_a_priority_the_level_decides(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    sentry.capture_exception(ValueError("broken"))
    sentry.capture_message("half way", "debug")

    assert [event["tags"]["priority"] for event in sent.events] == ["high", "low"]


def test_a_report_about_which_nonsense_is_said_is_sent_all_the_same(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    nonsense: dict[str, Any] = {"tags": ["a"], "extra": 7, "user": "bob", "priority": "urgent"}

    for name, value in nonsense.items():
        assert sentry.capture_exception(ValueError(name), **{name: value})
        assert sentry.capture_message(name, **{name: value})
    assert sentry.capture_message("odd", "warn")  # type: ignore[arg-type]

    assert len(sent.events) == 2 * len(nonsense) + 1
    assert {event["tags"]["priority"] for event in sent.events} == {"high", "low"}


def test_context_may_have_any_name(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    sentry.capture_exception(ValueError("broken"), error="boom")
    sentry.capture_message("half way", text="boom")

    assert [event["extra"].get("error", event["extra"].get("text")) for event in sent.events] == ["boom", "boom"]


def test_failed_authentication_is_counted_and_tagged(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    sentry.record_auth_error("expired")
    sentry.capture_message("after a failure")

    [batch] = sent.items("trace_metric")
    [metric] = batch["items"]
    assert (metric["name"], metric["type"], metric["value"]) == ("auth_error", "counter", 1.0)
    assert metric["attributes"]["reason"]["value"] == "expired"
    assert sent.events[0]["tags"]["auth_error"] == "expired"
    crumb = sent.events[0]["breadcrumbs"]["values"][-1]
    assert (crumb["category"], crumb["data"]) == ("auth", {"reason": "expired"})


def test_hidden_content_takes_body_and_local_variables_with_it(start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry()
    # Put together, because events show the lines of this file.
    canary = "dear grandmother".replace(" ", "-")
    router = APIRouter()

    @router.post("/letters")
    async def letters(body: dict[str, str], hidden: bool) -> None:
        if hidden:
            sentry.hide_content()
        letter = body["letter"]
        raise RuntimeError(f"It broke after {len(letter)}")

    with TestClient(make_app(router), raise_server_exceptions=False) as caller:
        for hidden in (True, False):
            caller.post("/letters", params={"hidden": hidden}, json={"letter": canary})
    private, ordinary = sent.events
    assert canary not in json.dumps(private)
    assert "data" not in private["request"]
    assert canary in json.dumps(ordinary["request"]["data"])
    assert canary in json.dumps(ordinary["exception"]["values"][-1]["stacktrace"]["frames"][-1]["vars"])


@pytest.mark.parametrize("place", ["task", "thread"])
def test_what_a_part_of_a_job_hides_is_hidden_in_all_of_the_job(start_sentry: StartSentry, place: str) -> None:
    sent = start_sentry()
    canary = "dear grandmother".replace(" ", "-")

    async def hide() -> None:
        sentry.hide_content()

    async def job(*, hides: bool) -> None:
        letter = canary
        with sentry.continue_transaction("job", "task.run", {}):
            if hides:
                await (asyncio.create_task(hide()) if place == "task" else asyncio.to_thread(sentry.hide_content))
            try:
                raise RuntimeError(f"It broke after {len(letter)}")
            except RuntimeError as error:
                sentry.capture_exception(error)

    for hides in (True, False):
        asyncio.run(job(hides=hides))
    private, ordinary = sent.events
    assert canary not in json.dumps(private)
    assert canary in json.dumps(ordinary["exception"]["values"][-1]["stacktrace"]["frames"][-1]["vars"])


def test_work_goes_on_in_the_trace_of_who_asked_for_it(start_sentry: StartSentry) -> None:
    sent = start_sentry()
    with sentry.start_transaction(name="request", op="http.server") as request, sentry.start_span("queue.publish"):
        headers = sentry.trace_headers()

    with sentry.continue_transaction("work", "task.run", headers) as work:
        sentry.set_tag("job", "work")
    sentry.capture_message("afterwards")

    assert set(headers) == {"sentry-trace", "baggage"}
    assert work.trace_id == request.trace_id
    asked, done = sent.transactions
    assert done["contexts"]["trace"]["parent_span_id"] == asked["spans"][0]["span_id"]
    assert (done["contexts"]["trace"]["op"], done["transaction_info"]["source"]) == ("task.run", "task")
    assert done["tags"]["job"] == "work"
    assert "job" not in sent.events[0]["tags"]


def test_a_check_in_says_when_it_is_due_and_how_it_went(start_sentry: StartSentry) -> None:
    sent = start_sentry()

    check_in_id = sentry.check_in("nightly-report", "in_progress", crontab="0 3 * * *", longest_minutes=5)
    sentry.check_in("nightly-report", "error", check_in_id=check_in_id)

    begun, ended = sent.items("check_in")
    assert begun["monitor_slug"] == ended["monitor_slug"] == "nightly-report"
    assert begun["check_in_id"] == ended["check_in_id"] == check_in_id
    assert (begun["status"], ended["status"]) == ("in_progress", "error")
    assert begun["monitor_config"]["schedule"] == {"type": "crontab", "value": "0 3 * * *"}
    assert begun["monitor_config"]["max_runtime"] == 5
    assert "monitor_config" not in ended


def test_without_sentry_nobody_is_told_of_traces_and_check_ins() -> None:
    assert sentry.trace_headers() == {}
    assert sentry.check_in("nightly-report", "ok") is None
    with sentry.continue_transaction("work", "task.run", {"sentry-trace": "nonsense"}) as work:
        work.set_data("key", "value")
