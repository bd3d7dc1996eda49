"""A client of AI models, for every service that speaks OpenAI's protocol.

It is no part of the readiness check: an outage of the service must not take the rest of the API away.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import FastAPI

from app.core.extension import Extension
from app.extensions.ai.client import AiClient
from app.extensions.ai.messages import Completion, Message, Piece, Transcription
from app.extensions.ai.routes import Ai, router
from app.extensions.ai.settings import AiSettings

__all__ = ["Ai", "AiClient", "Completion", "Message", "Piece", "Transcription", "extension"]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.ai_settings = AiSettings()
    async with aclosing(AiClient(app.state.ai_settings)) as client:
        app.state.ai = client
        yield


extension = Extension("ai", settings=AiSettings, router=router, lifespan=_lifespan)
