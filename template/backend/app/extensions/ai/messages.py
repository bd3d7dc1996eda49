"""What goes to a model and what comes back. What they say is in no representation of them."""

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """A part of a conversation.

    Attributes:
        role: Who says it; ``system`` is the application.
        content: What it says.
    """

    role: Role
    content: str = field(repr=False)


@dataclass(frozen=True)
class Completion:
    """An answer.

    Attributes:
        text: What it says.
        model: Which model answered, as the service calls it.
        finish_reason: Why it ends: ``stop``, or ``length`` when it was cut off.
        input_tokens: What the question counts, if the service said so.
        output_tokens: What the answer counts, if the service said so.
    """

    text: str = field(repr=False)
    model: str
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True)
class Piece:
    """A piece of an answer that is still being written.

    Attributes:
        text: What is new.
        completion: The whole, with the last piece.
    """

    text: str = field(repr=False)
    completion: Completion | None = None


@dataclass(frozen=True)
class Transcription:
    """What somebody said.

    Attributes:
        text: The words.
        model: Which model heard them.
    """

    text: str = field(repr=False)
    model: str
