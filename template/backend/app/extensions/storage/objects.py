"""What a storage keeps: objects under keys that tell nothing."""

import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

OCTETS = "application/octet-stream"
"""The type of what nobody gave a type."""


LONGEST_KEY = 1024
"""In bytes, see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

_STRANGE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_STRANGE_PARTS = frozenset({"", ".", ".."})


def new_key() -> str:
    """Return a key for a new object: random, so that it tells nothing and cannot be guessed. Never a file's name."""
    return str(uuid.uuid4())


def checked(key: str) -> str:
    """Return a key that names one object and nothing else.

    Raises:
        ValueError: it is empty, which would stand for the whole bucket; or longer than S3 allows; or it has a control
            character, half a character, or between its slashes nothing, ``.`` or ``..``.
    """
    is_strange = _STRANGE.search(key) or _STRANGE_PARTS.intersection(key.split("/"))
    if is_strange or len(key.encode()) > LONGEST_KEY:
        # Without the key: it may be a secret.
        raise ValueError("This can be the key of no object.")
    return key


@dataclass(frozen=True)
class StoredObject:
    """What is known of an object.

    Attributes:
        size: In bytes.
        content_type: As it was uploaded.
    """

    size: int
    content_type: str


@dataclass(frozen=True)
class Download:
    """An object while it is read.

    Attributes:
        about: Its size and type.
        chunks: Its bytes, to be read once. They raise ``StorageDownError`` when the storage goes away.
    """

    about: StoredObject
    chunks: AsyncIterator[bytes]
