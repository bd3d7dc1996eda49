"""The room: every connection of this process. Several processes need a broker between them, see the docs."""

from app.core.exceptions import UnavailableError
from app.extensions.websocket.connection import Connection
from app.extensions.websocket.messages import ServerMessage


class FullError(UnavailableError):
    """This process holds as many connections as it may. Counted and not reported: the limit is the plan."""

    expected = True
    headers = {"Retry-After": "5"}  # noqa: RUF012 the base class declares it as a mapping


class Room:
    """Knows who is there.

    Args:
        most: How many may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._connections: dict[str, Connection] = {}

    @property
    def connections(self) -> int:
        """How many are there."""
        return len(self._connections)

    def take_place(self) -> None:
        """Take a place, ahead of the handshake; ``free_place`` gives it back.

        Raises:
            FullError: there is none.
        """
        if self._taken >= self._most:
            raise FullError("Too many connections: try again in a moment.")
        self._taken += 1

    def free_place(self) -> None:
        """Give a place back."""
        self._taken -= 1

    def join(self, connection: Connection) -> None:
        """Let a connection hear everybody."""
        self._connections[connection.id] = connection

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        del self._connections[connection.id]

    def broadcast(self, message: ServerMessage) -> None:
        """Queue a message for everybody. It is written as JSON once, and nobody waits for anybody."""
        text = message.model_dump_json()
        for connection in self._connections.values():
            connection.send_text(text)
