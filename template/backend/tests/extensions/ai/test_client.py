"""The client against a service that behaves well, slowly, badly or not at all."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from app.core.exceptions import AppError
from app.extensions.ai import AiClient, Completion, Message, Piece
from app.extensions.ai.errors import (
    AiAnswerError,
    AiConfigurationError,
    AiNotConfiguredError,
    AiRefusalError,
    AiUnavailableError,
)
from app.extensions.ai.protocol import MAX_ANSWER_BYTES, MAX_LINE_BYTES, retry_after
from app.extensions.ai.settings import AiSettings
from tests.extensions.ai.service import (
    MODEL,
    Answer,
    Service,
    close,
    completion,
    failure,
    hang,
    parts,
    serving,
    streamed,
    whole,
)
from tests.extensions.servers import free_port

QUESTION = [Message("system", "Be brief."), Message("user", "How are you?")]
Call = Callable[[AiClient], Coroutine[Any, Any, Any]]


def run(address: str, call: Call, **settings: Any) -> Any:
    """Return what a call gives; the settings are as the environment would have them."""

    async def main() -> Any:
        values = {"base_url": address, "api_key": "key-of-the-tests", "model": MODEL, "timeout_seconds": 10, **settings}
        async with aclosing(AiClient(AiSettings(**values))) as client:
            return await call(client)

    return asyncio.run(main())


async def complete(client: AiClient) -> Completion:
    return await client.complete(QUESTION, options={"temperature": 0.2})


async def stream(client: AiClient) -> list[Piece]:
    async with aclosing(client.stream(QUESTION)) as pieces:
        return [piece async for piece in pieces]


def test_an_answer_with_its_counts() -> None:
    with serving(whole(completion("Well."))) as service:
        answer = run(service.address, complete)
    assert answer == Completion("Well.", f"{MODEL}-2026", "stop", 11, 7)
    [asked] = service.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == "Bearer key-of-the-tests"
    assert asked.json == {
        "model": MODEL,
        "temperature": 0.2,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How are you?"}],
    }


def test_a_streamed_answer_comes_in_pieces_and_ends_with_the_whole() -> None:
    with serving(streamed(*parts("Wéll", ", ", "thanks."))) as service:
        *texts, last = run(service.address, stream)
    assert [piece.text for piece in texts] == ["Wéll", ", ", "thanks."]
    assert last == Piece("", Completion("Wéll, thanks.", f"{MODEL}-2026", "stop", 11, 3))
    assert service.asked[0].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "lines",
    [
        b": a comment\r\n\r\ndata:" + b'{"choices":[{"delta":{"content":"a"},"finish_reason":"length"}]}' + b"\r\n\r\n",
        b'event: x\ndata: {"choices":[{"delta":{"content":"a"},"finish_reason":"length"}]}\n\n',
    ],
)
def test_servers_that_write_streams_in_another_way_are_understood(lines: bytes) -> None:
    with serving(streamed(lines)) as service:
        assert run(service.address, stream)[-1].completion == Completion("a", MODEL, "length", None, None)


def test_a_server_of_ones_own_may_need_no_key() -> None:
    with serving(whole(completion("Well."))) as service:
        run(service.address, complete, api_key=None)
    assert "authorization" not in service.asked[0].headers


def test_speech_becomes_text() -> None:
    async def transcribe(client: AiClient) -> Any:
        return await client.transcribe(b"RIFF-audio", filename="what I said.mp3", language="en")

    with serving(whole({"text": "Hello."})) as service:
        assert run(service.address, transcribe, transcription_model="ears-1").text == "Hello."
    [asked] = service.asked
    assert asked.path == "/v1/audio/transcriptions"
    assert b"RIFF-audio" in asked.body
    assert b'filename="audio.mp3"' in asked.body
    assert b"what I said" not in asked.body
    assert b"ears-1" in asked.body


@pytest.mark.parametrize("call", [complete, stream])
@pytest.mark.parametrize(
    ("bad", "tries"),
    [
        (whole(failure("rate_limit_exceeded"), 429, {"Retry-After": "0"}), 3),
        (whole(b"<html>busy</html>", 503), 3),
        (whole(failure("x"), 500), 3),
        (close, 3),
        (whole(failure("insufficient_quota"), 429), 1),
        (whole(failure("invalid_api_key"), 401), 1),
    ],
)
def test_what_is_worth_it_is_tried_again(call: Call, bad: Answer, tries: int) -> None:
    with serving(bad) as service, pytest.raises(AppError):
        run(service.address, call)
    assert len(service.asked) == tries
    good = whole(completion("Well.")) if call is complete else streamed(*parts("Well."))
    if tries > 1:
        with serving(bad, good) as service:
            assert run(service.address, call)
        assert len(service.asked) == 2


def test_the_wait_that_a_service_asks_for_is_kept() -> None:
    with serving(whole(failure("x"), 429, {"Retry-After": "1"}), whole(completion("Well."))) as service:
        begin = time.monotonic()
        run(service.address, complete)
    assert 1 <= time.monotonic() - begin < 30


def test_a_wait_that_is_too_long_is_the_callers() -> None:
    limited = whole(failure("x"), 429, {"Retry-After": "900"})
    with serving(limited) as service, pytest.raises(AiUnavailableError, match="too many requests") as caught:
        run(service.address, complete)
    assert len(service.asked) == 1
    assert caught.value.headers == {"Retry-After": "900"}


def test_forms_of_a_wait() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    assert retry_after({"retry-after": "2.5"}, 0) == 2.5
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}, 0) == 0.25
    date = format_datetime(now + timedelta(seconds=30), usegmt=True)
    assert retry_after({"retry-after": date}, now.timestamp()) == 30
    assert retry_after({"retry-after": format_datetime(now, usegmt=True)}, now.timestamp() + 60) == 0
    for nonsense in ("", "soon", "-1", "1e9", "Wed, 99 Foo 2026"):
        assert retry_after({"retry-after": nonsense}, 0) is None


@pytest.mark.parametrize("call", [complete, stream])
@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (whole(failure("invalid_api_key"), 401), AiConfigurationError, "HTTP 401 invalid_api_key"),
        (whole(b"no", 403), AiConfigurationError, "HTTP 403$"),
        (whole(failure("model_not_found"), 404), AiConfigurationError, "HTTP 404 model_not_found"),
        (whole(failure("unknown_parameter"), 400), AiConfigurationError, "HTTP 400 unknown_parameter"),
        (whole(failure("Some words, that is"), 400), AiConfigurationError, "HTTP 400$"),
        (whole(b"", 302, {"Location": "http://127.0.0.1:1/"}), AiConfigurationError, "HTTP 302$"),
        (whole(failure("context_length_exceeded"), 400), AiRefusalError, "more than the AI service can read"),
        (whole(b"", 413), AiRefusalError, "more than the AI service can read"),
        (whole(failure("content_filter"), 400), AiRefusalError, "declines"),
        (whole(failure("x"), 500), AiUnavailableError, "cannot answer now"),
    ],
)
def test_a_refusal_says_whose_it_is(call: Call, answer: Answer, error: type[Exception], words: str) -> None:
    with serving(answer) as service, pytest.raises(error, match=words):
        run(service.address, call)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        {},
        {"choices": None},
        {"choices": []},
        {"choices": {}},
        {"choices": ["text"]},
        {"choices": [{"message": "text"}]},
        {"choices": [{"message": {"content": ["text"]}}]},
        {"choices": [{"message": {"content": 3}}]},
        b'{"choices": "' + b"x" * MAX_ANSWER_BYTES + b'"}',
    ],
    ids=lambda body: repr(body)[:30],
)
def test_garbage_is_told_from_an_answer(body: object) -> None:
    with serving(whole(body)) as service, pytest.raises(AiAnswerError):
        run(service.address, complete)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (streamed(*parts("Well", finish=None), ends=False), AiUnavailableError),
        (streamed(*parts("Well", finish=None)), AiUnavailableError),
        (streamed(*parts("Well", finish=None), {"error": {"message": "overloaded"}}), AiUnavailableError),
        (streamed(*parts("Well", finish=None), b"data: {oops\n\n"), AiAnswerError),
        (streamed(*parts("Well", finish=None), {"choices": [{"delta": 1}]}), AiAnswerError),
        (streamed(*parts("Well", finish=None), b"data: " + b"x" * (MAX_LINE_BYTES + 10)), AiAnswerError),
    ],
)
def test_a_stream_that_breaks_off_gives_what_came_and_then_fails(answer: Answer, error: type[Exception]) -> None:
    texts = []

    async def read(client: AiClient) -> None:
        async with aclosing(client.stream(QUESTION)) as pieces:
            async for piece in pieces:
                texts.append(piece.text)  # noqa: PERF401 what came before it failed

    with serving(answer) as service, pytest.raises(error):
        run(service.address, read)
    assert texts == ["Well"]
    assert len(service.asked) == 1


@pytest.mark.parametrize("call", [complete, stream])
def test_a_service_that_says_nothing_has_its_time(call: Call) -> None:
    begin = time.monotonic()
    with serving(hang) as service, pytest.raises(AiUnavailableError, match="in time"):
        run(service.address, call, timeout_seconds=0.5)
    assert 0.4 < time.monotonic() - begin < 30
    assert len(service.asked) == 1


def test_a_stream_may_pause_but_not_for_long() -> None:
    begin = time.monotonic()
    with serving(streamed(*parts("Well", finish=None), hangs=True)) as service:
        with pytest.raises(AiUnavailableError, match="in time"):
            run(service.address, stream, idle_seconds=0.3)
        assert time.monotonic() - begin < 15
        assert service.left.wait(60)


def test_a_service_that_is_away_is_unavailable() -> None:
    with pytest.raises(AiUnavailableError, match="cannot be reached"):
        run(f"http://127.0.0.1:{free_port()}/v1", complete)


@pytest.mark.parametrize("proxy", ["http://proxy.example.com:none", "canary://proxy", "socks5://canary:1080"])
def test_a_proxy_that_is_none_is_told_and_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with serving(whole(completion("Well."))) as service:
        assert run(service.address, complete).text == "Well."
    assert "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used" in caplog.text
    assert "canary" not in caplog.text


def test_cancelling_closes_the_connection() -> None:
    async def cancel(client: AiClient) -> None:
        task = asyncio.ensure_future(client.complete(QUESTION))
        assert await asyncio.to_thread(service.arrived.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(service.left.wait, 10)

    with serving(hang) as service:
        run(service.address, cancel)


def test_who_stops_reading_closes_the_connection() -> None:
    async def stop(client: AiClient, service: Service) -> None:
        async with aclosing(client.stream(QUESTION)) as pieces:
            assert (await anext(pieces)).text == "Well"
        assert await asyncio.to_thread(service.left.wait, 10)

    with serving(streamed(*parts("Well", finish=None), hangs=True)) as service:
        run(service.address, lambda client: stop(client, service))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": None, "model": None}, "AI_BASE_URL and AI_MODEL must be set"),
        ({"base_url": None}, "configured: AI_BASE_URL must be set"),
        ({"model": None}, "configured: AI_MODEL must be set"),
    ],
)
def test_what_is_lacking_is_named(settings: dict[str, None], words: str) -> None:
    with pytest.raises(AiNotConfiguredError, match=words):
        run("http://127.0.0.1:1", complete, **settings)


def test_nothing_shows_what_was_said() -> None:
    said = [Message("user", "canary"), Piece("canary", Completion("canary", "m", "stop", 1, 1))]
    assert "canary" not in repr(said)
