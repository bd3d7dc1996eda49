"""The client: asks, waits, tries again, and says clearly what went wrong."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import httpx2

from app.core import sentry
from app.extensions.ai import telemetry
from app.extensions.ai.errors import AiAnswerError, AiNotConfiguredError, AiUnavailableError
from app.extensions.ai.messages import Completion, Message, Piece, Transcription
from app.extensions.ai.protocol import (
    MAX_ANSWER_BYTES,
    Draft,
    chat_request,
    events_in,
    read_completion,
    read_json,
    read_transcription,
    refusal,
)
from app.extensions.ai.settings import AiSettings

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0

logger = logging.getLogger(__name__)

_MAX_REFUSAL_BYTES = 100_000
_END = b"[DONE]"
_LATE = "The AI service does not answer in time."
_AWAY = "The AI service cannot be reached."
_CUT = "The AI service broke off."


class AiClient:
    """Calls one service. Each call may be made at any time, also many at once; cancelling it closes its connection.

    Args:
        settings: Which service.
    """

    def __init__(self, settings: AiSettings) -> None:
        self._settings = settings
        self._http = _open_http(settings)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def complete(
        self, messages: Sequence[Message], *, model: str | None = None, options: Mapping[str, Any] | None = None
    ) -> Completion:
        """Return the answer to a conversation.

        Args:
            messages: What was said so far.
            model: Who answers, unless it is ``AI_MODEL``.
            options: More fields of the request, such as ``{"temperature": 0.2}``.

        Raises:
            AiNotConfiguredError: no service is named.
            AiUnavailableError: it does not answer, or wants fewer requests.
            AiConfigurationError: it refuses our key, our model or our options.
            AiRefusalError: it declines this question.
            AiAnswerError: what it answers is no answer.
        """
        chosen = self._model(model or self._settings.model, "AI_MODEL")
        with telemetry.begin(telemetry.CHAT, chosen, self._http.base_url.host, streaming=False) as span:
            body = chat_request(messages, chosen, options, stream=False)
            completion = read_completion(read_json(await self._fetch("chat/completions", json=body)), chosen)
            telemetry.describe(span, completion)
            return completion

    async def stream(
        self, messages: Sequence[Message], *, model: str | None = None, options: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Piece, None]:
        """Yield the answer to a conversation while it is being written; the arguments are as for ``complete``.

        The last piece holds the whole. Close the iterator when you stop early: ``async with aclosing(…)``.

        Raises:
            AiUnavailableError: also when the service breaks off in the midst of its answer.
            AppError: as ``complete``.
        """
        chosen = self._model(model or self._settings.model, "AI_MODEL")
        begin = time.monotonic()
        span = telemetry.begin(telemetry.CHAT, chosen, self._http.base_url.host, streaming=True)
        # Not entered: between two pieces the caller's code runs, which is no part of it.
        try:
            body = chat_request(messages, chosen, options, stream=True)
            draft, is_first = Draft(chosen), True
            deadline = begin + self._settings.timeout_seconds
            async with aclosing(self._events("chat/completions", deadline, body)) as events:
                async for event in events:
                    text = draft.add(read_json(event))
                    if text and is_first:
                        is_first = False
                        span.set_data("gen_ai.response.time_to_first_token", time.monotonic() - begin)
                    if text:
                        yield Piece(text)
            completion = draft.completion()
            telemetry.describe(span, completion)
            yield Piece("", completion)
        except Exception:
            span.set_status("internal_error")
            raise
        finally:
            span.finish()

    async def transcribe(
        self, audio: bytes, *, filename: str = "audio.wav", language: str | None = None, model: str | None = None
    ) -> Transcription:
        """Return what is said in a recording.

        Args:
            audio: The file, in a format that the service reads.
            filename: Tells the format by its ending; nothing else of it matters.
            language: What is spoken, such as ``en``, if that is known.
            model: Who listens, unless it is ``AI_TRANSCRIPTION_MODEL``.

        Raises:
            AppError: as ``complete``.
        """
        chosen = self._model(model or self._settings.transcription_model, "AI_TRANSCRIPTION_MODEL")
        with telemetry.begin(telemetry.TRANSCRIPTION, chosen, self._http.base_url.host, streaming=False):
            fields = {"model": chosen, **({"language": language} if language else {})}
            files = {"file": (f"audio.{filename.rpartition('.')[2]}", audio)}
            answer = read_json(await self._fetch("audio/transcriptions", data=fields, files=files))
            return Transcription(read_transcription(answer), chosen)

    def _model(self, model: str | None, variable: str) -> str:
        """Return who is asked; what this request reports from now on has neither a body nor local variables."""
        # First of all: a call that comes to nothing has the question at hand as well.
        sentry.hide_content()
        lacking = [name for name, value in (("AI_BASE_URL", self._settings.base_url), (variable, model)) if not value]
        if lacking or model is None:
            raise AiNotConfiguredError(f"No AI service is configured: {' and '.join(lacking)} must be set.")
        return model

    async def _fetch(self, path: str, **content: Any) -> bytes:  # noqa: ANN401 what httpx2 takes
        """Return the body of an answer."""
        seconds = self._settings.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                response = await self._open(path, time.monotonic() + seconds, content)
                async with aclosing(response):
                    return await _read(response, MAX_ANSWER_BYTES)
        except TimeoutError:
            raise AiUnavailableError(_LATE) from None
        except httpx2.RequestError:
            raise AiUnavailableError(_CUT) from None

    async def _events(self, path: str, deadline: float, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """Yield the events of a streamed answer, up to the one that ends it."""
        loop = asyncio.get_running_loop()
        ahead = deadline - time.monotonic()
        last = loop.time() + ahead
        try:
            async with asyncio.timeout_at(last):
                response = await self._open(path, deadline, {"json": body})
            async with aclosing(response), aclosing(events_in(response.aiter_bytes())) as events:
                while True:
                    # Around each step and not around the loop: a timeout must not strike while the caller works.
                    async with asyncio.timeout_at(min(last, loop.time() + self._settings.idle_seconds)):
                        event = await anext(events, _END)
                    if event == _END:
                        return
                    yield event
        except TimeoutError:
            raise AiUnavailableError(_LATE) from None
        except httpx2.RequestError:
            raise AiUnavailableError(_CUT) from None

    async def _open(self, path: str, deadline: float, content: Mapping[str, Any]) -> httpx2.Response:
        """Return a response of which only the head has been read, after as many tries as it takes and may take.

        Args:
            path: Below the address of the service.
            deadline: Until when a new try may begin, on the monotonic clock, in seconds.
            content: What is sent, as httpx2 takes it.
        """
        for tries in range(self._settings.max_retries + 1):
            error, may_help = await self._try(path, content)
            if isinstance(error, httpx2.Response):
                return error
            wait = getattr(error, "retry_after", None) or _pause(tries)
            if not may_help or tries == self._settings.max_retries or time.monotonic() + wait >= deadline:
                raise error from None
            await asyncio.sleep(wait)
        raise AssertionError("The last try returns or raises")

    async def _try(self, path: str, content: Mapping[str, Any]) -> tuple[httpx2.Response | Exception, bool]:
        """Return a response, or what went wrong and whether asking again may help."""
        try:
            response = await self._http.send(self._http.build_request("POST", path, **content), stream=True)
        except (httpx2.ReadTimeout, httpx2.WriteTimeout):
            # It may be at work on it.
            return AiUnavailableError(_LATE), False
        except httpx2.RequestError:
            return AiUnavailableError(_AWAY), True
        if response.is_success:
            return response, False
        async with aclosing(response):
            try:
                body = await _read(response, _MAX_REFUSAL_BYTES)
            except (httpx2.RequestError, AiAnswerError):
                body = b""
        return refusal(response.status_code, response.headers, body, time.time())


def _open_http(settings: AiSettings) -> httpx2.AsyncClient:
    key = settings.api_key
    options: dict[str, Any] = {
        "base_url": settings.base_url or "",
        "headers": {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
        "timeout": httpx2.Timeout(settings.timeout_seconds, connect=settings.connect_seconds),
    }
    try:
        return httpx2.AsyncClient(**options)
    except (httpx2.InvalidURL, ValueError, ImportError):
        # Without the value: it may hold a password. SOCKS needs more packages.
        logger.warning("HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used; the AI service is reached without it")
        return httpx2.AsyncClient(**options, trust_env=False)


async def _read(response: httpx2.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise AiAnswerError("The AI service answered more than anybody asked for.")
    return bytes(body)


def _pause(tries: int) -> float:
    """Return how long to wait after a number of tries: longer each time, and not the same for all who wait."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**tries)
    return longest * (1 - random.random() / 4)  # noqa: S311 no secret depends on it
