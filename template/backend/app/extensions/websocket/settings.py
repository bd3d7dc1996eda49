"""Settings of the WebSocket endpoint."""

from typing import Annotated

from pydantic_settings import SettingsConfigDict

from app.core.config import BaseAppSettings
from app.core.variables import Origins, whole_number


class WebSocketSettings(BaseAppSettings):
    """Who may connect, and how much one connection may cost."""

    model_config = SettingsConfigDict(env_prefix="WEBSOCKET_")

    origins: Origins = ()
    """``WEBSOCKET_ORIGINS``: origins, separated by commas, of pages that are served from elsewhere and may connect.
    Default: none besides the API's own host as the browser sees it."""

    max_connections: Annotated[int, whole_number(1, 100_000)] = 1000
    """``WEBSOCKET_MAX_CONNECTIONS``: how many connections one process holds; who comes then is told 503."""

    max_bytes: Annotated[int, whole_number(256, 1_000_000)] = 16_384
    """``WEBSOCKET_MAX_BYTES``: the longest message that is read, in bytes of UTF-8. Longer ones are answered with an
    error. uvicorn's own limit, ``UVICORN_WS_MAX_SIZE``, closes the connection and bounds the memory."""

    messages_per_minute: Annotated[int, whole_number(1, 100_000)] = 240
    """``WEBSOCKET_MESSAGES_PER_MINUTE``: how many messages one connection may send; the excess is answered with an
    error. One message goes to everybody, so without a limit one could drown all."""

    idle_seconds: Annotated[int, whole_number(1, 86_400)] = 90
    """``WEBSOCKET_IDLE_SECONDS``: a connection from which nothing came for so long is closed. The page sends a ping
    every 25 seconds."""

    send_seconds: Annotated[int, whole_number(1, 600)] = 10
    """``WEBSOCKET_SEND_SECONDS``: a connection that takes nothing for so long is cut."""
