"""What goes over the wire: JSON objects, told apart by ``type``. The page has the same in ``room.ts``."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

LONGEST_TEXT = 2000
"""How many characters a person may say at once."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ping(_Message):
    """Asks whether the server is still there: a browser tells its page nothing of the protocol's own pings."""

    type: Literal["ping"]


class Say(_Message):
    """Something for everybody in the room."""

    type: Literal["say"]
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)


class Break(_Message):
    """Makes the server fail, to see what becomes of it; only while the diagnostics are open."""

    type: Literal["break"]


ClientMessage = Annotated[Ping | Say | Break, Field(discriminator="type")]
CLIENT_MESSAGE: TypeAdapter[Ping | Say | Break] = TypeAdapter(ClientMessage)
"""Reads what clients send."""


class Welcome(_Message):
    """The first message of each connection."""

    type: Literal["welcome"] = "welcome"
    connection_id: str = Field(description="Random; a tag of every event about this connection.")
    connections: int = Field(description="How many connections this process holds.")


class Pong(_Message):
    """The answer to a ping."""

    type: Literal["pong"] = "pong"
    connections: int


class Said(_Message):
    """What somebody said."""

    type: Literal["said"] = "said"
    sender: str = Field(description="The connection id of who said it.")
    text: str


class Failure(_Message):
    """A message that was refused or failed, with the fields of a problem. The connection stays."""

    type: Literal["error"] = "error"
    title: str
    status: int = Field(description="As an HTTP status would be.")
    detail: str
    event_id: str | None = Field(default=None, description="The id of the Sentry event about it, if there is one.")


ServerMessage = Welcome | Pong | Said | Failure
