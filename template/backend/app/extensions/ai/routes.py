"""An example of a route that asks a model: change it into what your application needs."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, model_validator

from app.core import sentry
from app.core.config import Settings
from app.core.exceptions import AppError
from app.extensions.ai.client import AiClient
from app.extensions.ai.messages import Completion, Message, Piece
from app.extensions.ai.settings import AiSettings

MAX_MESSAGES = 50
MAX_CHARACTERS = 30_000
INSTRUCTIONS = Message("system", "You are a helpful assistant. Answer briefly.")


async def get_client(request: Request) -> AiClient:
    """Return the client of this application."""
    client: AiClient = request.app.state.ai
    return client


Ai = Annotated[AiClient, Depends(get_client)]


async def hide_content() -> None:
    """Keep what callers write out of what is reported, also when it does not get as far as the client."""
    sentry.hide_content()


async def require_access(request: Request) -> None:
    """Let a request pass, or act as if the route did not exist.

    Raises:
        HTTPException: 404, it is closed.
    """
    settings: AiSettings = request.app.state.ai_settings
    app_settings: Settings = request.app.state.settings
    default = "open" if app_settings.app.environment == "development" else "closed"
    if (settings.access or default) != "open":
        raise HTTPException(HTTPStatus.NOT_FOUND)


class ChatMessage(BaseModel):
    """A part of a conversation."""

    role: Literal["user", "assistant"] = Field(description="Who said it.")
    content: str = Field(min_length=1, max_length=MAX_CHARACTERS, repr=False)


class ChatRequest(BaseModel):
    """A conversation that waits for an answer."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES, repr=False)
    stream: bool = Field(default=False, description="Whether the answer comes in pieces, as server-sent events.")

    @model_validator(mode="after")
    def _is_short(self) -> Self:
        if sum(len(message.content) for message in self.messages) > MAX_CHARACTERS:
            raise ValueError(f"The messages have more than {MAX_CHARACTERS} characters.")
        return self


class ChatAnswer(BaseModel):
    """What the model answered."""

    text: str = Field(repr=False)
    model: str
    finish_reason: str = Field(description="`stop`, or `length` when the answer was cut off.")
    input_tokens: int | None
    output_tokens: int | None


router = APIRouter(tags=["ai"], dependencies=[Depends(hide_content), Depends(require_access)])


@router.post(
    "/ai/chat",
    response_model=ChatAnswer,
    responses={
        200: {
            "description": "The answer; in pieces, events with `text`, then one of type `done` or `problem`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def ai_chat(body: ChatRequest, ai: Ai) -> ChatAnswer | StreamingResponse:
    """Answer a conversation."""
    messages = [INSTRUCTIONS, *(Message(message.role, message.content) for message in body.messages)]
    if not body.stream:
        return _answer(await ai.complete(messages))
    pieces = ai.stream(messages)
    # Before anything is sent, so that a failure at the beginning has a status of its own.
    first = await anext(pieces)
    return StreamingResponse(_events(first, pieces), headers=_UNBUFFERED, media_type="text/event-stream")


# Proxies keep answers until they are complete, nginx unless it is told so.
_UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _events(first: Piece, rest: AsyncGenerator[Piece, None]) -> AsyncGenerator[str, None]:
    async with aclosing(rest):
        yield _event(first)
        try:
            async for piece in rest:
                yield _event(piece)
        except AppError as error:
            event_id = sentry.capture_exception(error)
            ids = {"event_id": event_id, "trace_id": sentry.current_trace_id()}
            yield _write("problem", {"detail": error.detail, **ids})


def _event(piece: Piece) -> str:
    if piece.completion:
        return _write("done", _answer(piece.completion).model_dump(exclude={"text"}))
    return _write("message", {"text": piece.text})


def _write(kind: str, value: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n"


def _answer(completion: Completion) -> ChatAnswer:
    return ChatAnswer(
        text=completion.text,
        model=completion.model,
        finish_reason=completion.finish_reason,
        input_tokens=completion.input_tokens,
        output_tokens=completion.output_tokens,
    )
