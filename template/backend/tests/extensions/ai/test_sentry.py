"""What Sentry learns of calls, and that it learns no word of what was said."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from app.core import sentry
from app.core.sentry.delivery import delivery
from app.extensions.ai import Ai, AiClient, Message
from app.extensions.ai.errors import AiNotConfiguredError
from app.extensions.ai.settings import AiSettings
from tests.extensions.ai.service import (
    MODEL,
    Answer,
    close,
    completion,
    failure,
    parts,
    serving,
    streamed,
    whole,
)
from tests.support import MakeApp, Payload, Sent, StartSentry, values

PATH = "/api/v1/ai/chat"
PROMPT = "canaryprompt my grandmother's secret is\nblue"
ANSWER = "canaryanswer it was\ngreen"
AUDIO = b"canaryaudio"
KEY = "canarykey-of-the-tests"
# Parts of them would be too much as well.
CANARIES = ("canaryprompt", "grandmother", "canaryanswer", "it was", "green", "canaryaudio", "canarykey")
ECHO = failure("invalid_api_key", f"You said: {PROMPT} with {KEY}")

Watch = Callable[..., Sent]


@pytest.fixture
def watch(
    start_sentry: StartSentry, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Watch:
    """Return a function that puts a question and returns what was sent about it, once nothing of it was in there."""

    def ask(*answers: Answer, stream: bool = False, path: str = PATH, body: object = None, **variables: str) -> Sent:
        everything = {"ENVIRONMENT": "development", "SENTRY_REPORT_VALIDATION_ERRORS": "true"}
        sent = start_sentry(**everything, **variables)
        caplog.set_level(logging.DEBUG)
        with serving(*answers) as service:
            for name, value in {"BASE_URL": service.address, "MODEL": MODEL, "API_KEY": KEY}.items():
                monkeypatch.setenv(f"AI_{name}", value)
            monkeypatch.setenv("AI_TRANSCRIPTION_MODEL", "ears-1")
            question = body or {"messages": [{"role": "user", "content": PROMPT}], "stream": stream}
            with TestClient(make_app(routes()), raise_server_exceptions=False) as caller:
                caller.post(path, json=question)
        assert_silent(sent.raw.decode())
        assert_silent(caplog.text)
        return sent

    return ask


def assert_silent(text: str) -> None:
    assert [canary for canary in CANARIES if canary in text] == []


def routes() -> APIRouter:
    """Return routes of an application that fails with questions and answers in its hands."""
    router = APIRouter()

    @router.post("/after")
    async def after(body: dict[str, Any], ai: Ai) -> None:
        question = body["messages"][0]["content"]
        answer = await ai.complete([Message("user", question)])
        words = answer.text.split()
        logging.getLogger("tests").error("It broke after an answer of %s words", len(words))
        raise RuntimeError("It broke")

    @router.post("/during")
    async def during(body: dict[str, Any], ai: Ai) -> None:
        question = body["messages"][0]["content"]
        async with aclosing(ai.stream([Message("user", question)])) as pieces:
            async for piece in pieces:
                text = piece.text
                raise RuntimeError(f"It broke within {len(text)}")

    @router.post("/unanswered")
    async def unanswered(body: dict[str, Any], ai: Ai) -> None:
        question = body["messages"][0]["content"]
        with suppress(AiNotConfiguredError):
            await ai.complete([Message("user", question)])
        raise RuntimeError("It broke")

    @router.post("/forgotten")
    async def forgotten(body: dict[str, Any], ai: Ai) -> None:
        question = body["messages"][0]["content"]
        task = asyncio.create_task(ai.complete([Message("user", question)]))
        await asyncio.wait([task])

    @router.post("/listen")
    async def listen(ai: Ai) -> None:
        recording = AUDIO
        text = (await ai.transcribe(recording)).text
        raise RuntimeError(f"It broke after {len(text)}")

    @router.post("/task")
    async def task(body: dict[str, Any], ai: Ai) -> None:
        question = body["messages"][0]["content"]
        await asyncio.create_task(ai.complete([Message("user", question)]))
        raise RuntimeError(f"It broke after {len(question)}")

    return router


def span_of(sent: Sent) -> Payload:
    [transaction] = sent.transactions
    [span] = [span for span in transaction["spans"] if span["op"].startswith("gen_ai.")]
    found: Payload = span
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_a_span_with_what_it_cost(watch: Watch, stream: bool) -> None:
    good = streamed(*parts(ANSWER)) if stream else whole(completion(ANSWER))
    sent = watch(good, stream=stream)
    span = span_of(sent)
    assert (span["op"], span["description"]) == ("gen_ai.chat", f"chat {MODEL}")
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": f"{MODEL}-2026",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.streaming": stream,
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 1 if stream else 7,
        "gen_ai.usage.total_tokens": 12 if stream else 18,
        "server.address": "127.0.0.1",
    }
    assert expected.items() <= span["data"].items()
    assert span["timestamp"] >= span["start_timestamp"]
    assert ("gen_ai.response.time_to_first_token" in span["data"]) is stream
    assert not sent.events


def test_a_transcription_is_a_span(watch: Watch) -> None:
    sent = watch(whole({"text": ANSWER}), path="/listen")
    span = span_of(sent)
    assert (span["op"], span["description"]) == ("gen_ai.transcription", "transcription ears-1")
    [event] = sent.events
    assert values(event)[-1]["value"].startswith("It broke after")


@pytest.mark.parametrize(("stream", "path"), [(False, "/after"), (True, "/during"), (False, "/task")])
def test_an_error_with_an_answer_at_hand_tells_where_and_no_word(watch: Watch, stream: bool, path: str) -> None:
    good = streamed(*parts(ANSWER), hangs=True) if stream else whole(completion(ANSWER))
    event = watch(good, stream=stream, path=path).events[-1]
    assert values(event)[-1]["value"].startswith("It broke")
    frames = values(event)[-1]["stacktrace"]["frames"]
    assert frames[-1]["context_line"]
    assert not any("vars" in frame for frame in frames)
    assert "data" not in event["request"]
    crumbs = [crumb for crumb in event["breadcrumbs"]["values"] if crumb["category"] == "ai"]
    assert bool(crumbs) is not stream


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_key_is_reported(watch: Watch, stream: bool) -> None:
    sent = watch(whole(ECHO, 401), stream=stream)
    [event] = sent.events
    [error] = values(event)
    assert error["type"] == "AiConfigurationError"
    assert error["value"] == "The AI service refuses requests: HTTP 401 invalid_api_key"


@pytest.mark.parametrize(
    ("bad", "stream"),
    [
        (whole(ECHO, 500), False),
        (whole(ECHO, 500), True),
        (whole(ECHO, 429, {"Retry-After": "600"}), False),
        (whole(ECHO, 429, {"Retry-After": "600"}), True),
        (close, False),
        (close, True),
        (streamed(*parts(ANSWER, finish=None), ends=False), True),
    ],
)
def test_an_outage_is_counted_and_not_reported(watch: Watch, bad: Answer, stream: bool) -> None:
    sent = watch(bad, stream=stream)
    assert not sent.events
    assert delivery.report().dropped["filter: expected-failure"] == 1


@pytest.mark.parametrize("stream", [False, True])
def test_garbage_is_reported_without_any_of_it(watch: Watch, stream: bool) -> None:
    garbage = f'{{"{ANSWER}": oops {PROMPT}'.replace("\n", " ").encode()
    bad = streamed(*parts(ANSWER, finish=None), b"data: " + garbage + b"\n\n") if stream else whole(garbage)
    [event] = watch(bad, stream=stream).events
    assert [error["type"] for error in values(event)] == ["AiAnswerError"]


def test_a_question_that_does_not_validate_stays_here(watch: Watch) -> None:
    body = {"messages": [{"role": "system", "content": PROMPT}], "stream": PROMPT}
    sent = watch(whole(completion(ANSWER)), body=body)
    assert [values(event)[-1]["type"] for event in sent.events] == ["RequestValidationError"]


def test_a_job_outside_of_requests_tells_no_word_either(start_sentry: StartSentry) -> None:
    sent = start_sentry(ENVIRONMENT="development")

    async def job(address: str) -> None:
        question = PROMPT
        settings = AiSettings(base_url=address, model=MODEL)
        async with aclosing(AiClient(settings)) as client:
            with sentry.start_transaction("job"):
                answer = await client.complete([Message("user", question)])
                words = answer.text
                try:
                    raise RuntimeError(f"It broke after {len(words)}")
                except RuntimeError as error:
                    sentry.capture_exception(error)

    with serving(whole(completion(ANSWER))) as service:
        asyncio.run(job(service.address))
    assert_silent(sent.raw.decode())
    assert span_of(sent)["op"] == "gen_ai.chat"
    assert len(sent.events) == 1


def test_a_call_in_a_task_of_a_job_tells_no_word_either(start_sentry: StartSentry) -> None:
    sent = start_sentry(ENVIRONMENT="development")

    async def job(address: str) -> None:
        question = PROMPT
        async with aclosing(AiClient(AiSettings(base_url=address, model=MODEL))) as client:
            with sentry.continue_transaction("job", "task.run", {}):
                [answer] = await asyncio.gather(client.complete([Message("user", question)]))
                words = answer.text
                try:
                    raise RuntimeError(f"It broke after {len(words)}")
                except RuntimeError as error:
                    sentry.capture_exception(error)

    with serving(whole(completion(ANSWER))) as service:
        asyncio.run(job(service.address))
    assert_silent(sent.raw.decode())
    assert len(sent.events) == 1


def test_a_call_that_comes_to_nothing_tells_no_word_either(start_sentry: StartSentry, make_app: MakeApp) -> None:
    sent = start_sentry(ENVIRONMENT="development")
    with TestClient(make_app(routes()), raise_server_exceptions=False) as caller:
        caller.post("/unanswered", json={"messages": [{"role": "user", "content": PROMPT}]})
    assert_silent(sent.raw.decode())
    assert len(sent.events) == 1


def test_a_call_that_nobody_awaits_tells_no_word_either(watch: Watch) -> None:
    [event] = watch(whole(ECHO, 401), path="/forgotten").events
    assert [error["type"] for error in values(event)] == ["AiConfigurationError"]
    assert event["logger"] == "asyncio"


def test_a_stream_that_is_cancelled_midway_is_a_span_and_no_event(start_sentry: StartSentry) -> None:
    sent = start_sentry(ENVIRONMENT="development")

    async def read(client: AiClient, began: asyncio.Event) -> None:
        async with aclosing(client.stream([Message("user", PROMPT)])) as pieces:
            async for _ in pieces:
                began.set()

    async def job(address: str) -> None:
        began = asyncio.Event()
        async with aclosing(AiClient(AiSettings(base_url=address, model=MODEL))) as client:
            with sentry.start_transaction("job"):
                reading = asyncio.create_task(read(client, began))
                await asyncio.wait_for(began.wait(), 60)
                reading.cancel()
                await asyncio.wait([reading])
                assert reading.cancelled()

    with serving(streamed(*parts(ANSWER, finish=None), hangs=True)) as service:
        asyncio.run(job(service.address))
        assert service.left.wait(60)
    assert_silent(sent.raw.decode())
    assert span_of(sent)["op"] == "gen_ai.chat"
    assert sent.events == []


def test_other_requests_keep_their_local_variables(watch: Watch, make_app: MakeApp) -> None:
    sent = watch(whole(completion(ANSWER)))
    router = APIRouter()

    @router.get("/other")
    async def other() -> None:
        raise RuntimeError("It broke")

    with TestClient(make_app(router), raise_server_exceptions=False) as caller:
        caller.get("/other")
    own = [frame for frame in values(sent.events[-1])[-1]["stacktrace"]["frames"] if frame["in_app"]]
    assert any("vars" in frame for frame in own)
