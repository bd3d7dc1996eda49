"""WebSocket: a room in which pages hear each other at once, and the frame for endpoints of your own."""

from app.core.extension import Extension
from app.extensions.websocket.routes import PATH, router
from app.extensions.websocket.settings import WebSocketSettings

extension = Extension(
    "websocket",
    settings=WebSocketSettings,
    router=router,
    # A connection may last a day, and a trace of that length says nothing. Each message is traced instead.
    ignored_paths=(PATH,),
)
