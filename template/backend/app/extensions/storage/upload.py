"""An upload in parts, in bounded memory, that leaves nothing behind when it does not come to its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes. Shorter content is stored with one request."""

CONCURRENT_PARTS = 2
"""How many parts are under way at once: so many are in memory."""

Result = TypeVar("Result")


class _AbandonedError(Exception):
    """Ends the parts of an upload that nobody waits for any more."""


async def split_head(content: AsyncIterator[bytes]) -> tuple[memoryview, AsyncIterator[bytes] | None]:
    """Read the beginning, and return it with the rest; the rest is ``None`` when the content is shorter than a part."""
    head = bytearray()
    async for chunk in content:
        head += chunk
        if len(head) >= PART_BYTES:
            return memoryview(head), content
    return memoryview(head), None


class Upload:
    """Content on its way.

    Attributes:
        size: How many bytes were read so far.
    """

    def __init__(self, head: memoryview, rest: AsyncIterator[bytes]) -> None:
        self.size = 0
        self._head = head
        self._rest = rest
        self._abandoned: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, send: Callable[[AsyncIterator[bytes]], Awaitable[Result]]) -> Result:
        """Send all parts.

        A cancelled upload would leave its parts on the server, where they cost money and nobody sees them: the library
        takes them back when the content raises, so that is what the content does then.

        Args:
            send: Sends what it is given in parts, and takes them back when that raises.
        """
        sending = asyncio.ensure_future(send(self._parts()))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            self._abandoned.set_result(None)
            await asyncio.wait({sending})
            # Fetched, so that nobody misses it.
            sending.exception()
            raise

    async def _parts(self) -> AsyncIterator[bytes]:
        self.size = len(self._head)
        yield bytes(self._head)
        while True:
            following: asyncio.Future[bytes | None] = asyncio.ensure_future(anext(self._rest, None))
            both: set[asyncio.Future[Any]] = {following, self._abandoned}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self._abandoned.done():
                following.cancel()
                raise _AbandonedError
            chunk = following.result()
            if chunk is None:
                return
            self.size += len(chunk)
            yield chunk
