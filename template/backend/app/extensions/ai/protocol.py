"""OpenAI's protocol, as far as services have it in common: what is sent, and how answers are read.

https://platform.openai.com/docs/api-reference/chat and /audio. Services differ: no answer is taken on trust.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from app.extensions.ai.errors import AiAnswerError, AiConfigurationError, AiRefusalError, AiUnavailableError
from app.extensions.ai.messages import Completion, Message

MAX_ANSWER_BYTES = 10_000_000
MAX_LINE_BYTES = 1_000_000
OTHER = "other"

_FINISH_REASONS = frozenset({"stop", "length", "content_filter", "tool_calls", "function_call"})
_CODE = re.compile(r"[a-z][a-z0-9_]{1,49}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,99}")
_TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length"})
_DECLINED = frozenset({"content_filter", "content_policy_violation"})
_TOO_LARGE = 413
_TOO_MANY = 429
_SERVER_ERROR = 500
# 408 and 409: the service was busy with something else.
_FOR_THE_MOMENT = frozenset({408, 409, _TOO_MANY})
# Of 429 too, but no waiting helps.
_NO_CREDIT = "insufficient_quota"


def chat_request(
    messages: Sequence[Message], model: str, options: Mapping[str, Any] | None, *, stream: bool
) -> dict[str, Any]:
    """Return the body of a request for an answer."""
    body = {
        **(options or {}),
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
    }
    if stream:
        # Without the option a stream does not say what it cost.
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def read_json(body: bytes) -> dict[str, Any]:
    """Return the object that an answer is.

    Raises:
        AiAnswerError: it is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        # Not within the handler above, whose error holds the whole text.
        raise AiAnswerError("The AI service answered with something that is no JSON object.")
    return value


def read_completion(answer: Mapping[str, Any], asked: str) -> Completion:
    """Return the answer that a whole response holds.

    Raises:
        AiAnswerError: it holds none.
    """
    draft = Draft(asked)
    draft.add(answer, "message")
    if not answer["choices"]:
        raise AiAnswerError("The AI service answered without an answer.")
    # Here all has arrived, whether or not the service says why it ends.
    return draft.completion(OTHER)


def read_transcription(answer: Mapping[str, Any]) -> str:
    """Return the words that a response holds.

    Raises:
        AiAnswerError: it holds none.
    """
    text = answer.get("text")
    if not isinstance(text, str):
        raise AiAnswerError("The AI service answered without a transcription.")
    return text


class Draft:
    """An answer while it is put together from what the service sends.

    Args:
        asked: The model that was asked.
    """

    def __init__(self, asked: str) -> None:
        self._finish_reason: str | None = None
        self._model = asked
        self._texts: list[str] = []
        self._usage: Mapping[str, Any] = {}

    def add(self, part: Mapping[str, Any], name: str = "delta") -> str:
        """Take a part and return what is new in it; ``name`` is where in a choice its text stands.

        Raises:
            AiAnswerError: the part is not built as the protocol says.
            AiUnavailableError: it says that the service failed.
        """
        if part.get("error"):
            raise AiUnavailableError("The AI service failed while it answered.")
        try:
            text = self._read(part, name)
        except (AttributeError, IndexError, KeyError, TypeError):
            text = None
        if not isinstance(text, str):
            raise AiAnswerError("The AI service answered in another form than the protocol's.")
        self._texts.append(text)
        return text

    def completion(self, default_reason: str | None = None) -> Completion:
        """Return the whole.

        Raises:
            AiUnavailableError: it has no end, as the service never said why it ends.
        """
        reason = self._finish_reason or default_reason
        if reason is None:
            raise AiUnavailableError("The AI service broke off.")
        return Completion(
            "".join(self._texts),
            self._model,
            reason,
            _count(self._usage.get("prompt_tokens")),
            _count(self._usage.get("completion_tokens")),
        )

    def _read(self, part: Mapping[str, Any], name: str) -> object:
        model = part.get("model")
        if isinstance(model, str) and _MODEL.fullmatch(model):
            self._model = model
        usage = part.get("usage")
        if isinstance(usage, dict):
            self._usage = usage
        choices = part["choices"]
        if not choices:
            # The last part of a stream only says what it cost.
            return ""
        reason = choices[0].get("finish_reason")
        if reason:
            self._finish_reason = reason if reason in _FINISH_REASONS else OTHER
        content = choices[0].get(name, {}).get("content")
        return "" if content is None else content


async def events_in(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Return the data of each server-sent event, which the protocol writes on one line each.

    Raises:
        AiAnswerError: a line is longer than any should be.
    """
    rest = b""
    async for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise AiAnswerError("The AI service answered with a line without an end.")
        for line in lines:
            if line.startswith(b"data:"):
                yield line.removeprefix(b"data:").strip()
    if rest.startswith(b"data:"):
        yield rest.removeprefix(b"data:").strip()


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float) -> tuple[Exception, bool]:
    """Return what a status from 300 on means, and whether asking again may help.

    Args:
        status: Of the answer.
        headers: Of the answer.
        body: Of the answer; a short word of it is used at most, because services repeat questions there.
        now: The time, in seconds since 1970.
    """
    code = _code_in(body)
    if status >= _SERVER_ERROR or (status in _FOR_THE_MOMENT and code != _NO_CREDIT):
        wait = retry_after(headers, now)
        if status == _TOO_MANY:
            return AiUnavailableError("The AI service has too many requests.", wait), True
        return AiUnavailableError("The AI service cannot answer now.", wait), True
    if status == _TOO_LARGE or code in _TOO_LONG:
        return AiRefusalError("This is more than the AI service can read."), False
    if code in _DECLINED:
        return AiRefusalError("The AI service declines to answer this."), False
    return AiConfigurationError(f"HTTP {status} {code}".strip()), False


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return how many seconds a service wants us to wait, if it says so."""
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1)):
        text = headers.get(name, "")
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
            return float(text) * factor
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - now)
    except (KeyError, ValueError, OverflowError):
        return None


def _code_in(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        code = error.get("code") or error.get("type")
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return ""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
