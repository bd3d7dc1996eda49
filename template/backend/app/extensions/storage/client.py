"""Objects of one bucket: put, get, delete, look, and links that expire. Each call is a span, without the key."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import obstore

from app.core import sentry
from app.extensions.storage.errors import (
    ObjectNotFoundError,
    StorageNotConfiguredError,
    StorageRefusedError,
    translated,
)
from app.extensions.storage.objects import OCTETS, Download, StoredObject, checked
from app.extensions.storage.settings import StorageSettings
from app.extensions.storage.store import open_store
from app.extensions.storage.upload import CONCURRENT_PARTS, PART_BYTES, Upload, split_head

if TYPE_CHECKING:
    # The library names these types in its stubs alone.
    from obstore import Attributes, GetResult

READ_BYTES = 256 * 1024
"""How much of a download is passed on at once, at least."""

LINK_TIME = timedelta(minutes=5)
"""How long a link works, unless told otherwise. Whoever has it can use it."""

LONGEST_LINK_TIME = timedelta(hours=1)
"""No link works longer than this."""

SETTLE_SECONDS = 0.5

Result = TypeVar("Result")


class ObjectStorage:
    """A bucket. It may be used by many tasks at once.

    Every method raises ``StorageDownError`` when the storage does not answer in time, which is expected and counted,
    and ``StorageRefusedError`` when it refuses this application, which is reported. A key that can be no object's is a
    ``ValueError``, see ``checked``.

    Args:
        settings: Where it is; with a bucket.
    """

    def __init__(self, settings: StorageSettings) -> None:
        if settings.bucket is None:
            raise StorageNotConfiguredError
        self._bucket = settings.bucket
        self._store = open_store(settings, settings.bucket)
        self._answered = -SETTLE_SECONDS

    async def put(
        self, key: str, content: bytes | memoryview | AsyncIterator[bytes], content_type: str = OCTETS
    ) -> StoredObject:
        """Store an object, whole or not at all, in memory of a few parts of 5 MiB.

        When ``content`` raises, or the caller is cancelled, nothing is stored and the error goes on.

        Args:
            key: From ``new_key``. An object of the same key is replaced.
            content: What to store.
            content_type: What it is, as the server will say.
        """
        # Errors carry local variables, and with them pieces of the content.
        sentry.hide_content()
        with self._span("storage.put") as note:
            if isinstance(content, bytes):
                # A view shows nothing of what it holds, where an error carries local variables.
                content = memoryview(content)
            size = await self._put(checked(key), content, {"Content-Type": content_type})
            note("storage.size", size)
        return StoredObject(size, content_type)

    async def get(self, key: str) -> Download:
        """Begin to read an object.

        Raises:
            ObjectNotFoundError: there is none.
        """
        sentry.hide_content()
        with self._span("storage.get") as note:
            result = await self._asked(obstore.get_async(self._store, checked(key)))
            about = StoredObject(result.meta["size"], str(result.attributes.get("Content-Type", OCTETS)))
            note("storage.size", about.size)
        return Download(about, self._chunks(result))

    async def stat(self, key: str) -> StoredObject:
        """Return what is known of an object, without reading it.

        Raises:
            ObjectNotFoundError: there is none.
        """
        with self._span("storage.stat"):
            result = await self._asked(obstore.get_async(self._store, checked(key), options={"head": True}))
            return StoredObject(result.meta["size"], str(result.attributes.get("Content-Type", OCTETS)))

    async def exists(self, key: str) -> bool:
        """Say whether there is an object of this key."""
        try:
            await self.stat(key)
        except ObjectNotFoundError:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Delete an object. One that is not there is none."""
        with self._span("storage.delete"):
            try:
                await self._asked(obstore.delete_async(self._store, checked(key)))
            except ObjectNotFoundError:
                return

    async def link(self, method: Literal["GET", "PUT"], key: str, valid: timedelta = LINK_TIME) -> str:
        """Return an address that lets whoever has it read (GET) or write (PUT) one object for a while.

        The address is a secret: never log it. One for writing limits neither size nor type: look with ``stat``.

        Args:
            method: What the link is for.
            key: Which object, also one that does not exist yet.
            valid: How long, at most ``LONGEST_LINK_TIME``.

        Raises:
            ValueError: ``valid`` is too long, or nothing.
        """
        if not timedelta(0) < valid <= LONGEST_LINK_TIME:
            raise ValueError(f"A link is valid for up to {LONGEST_LINK_TIME}.")
        with self._span("storage.link"):
            return await self._asked(obstore.sign_async(self._store, method, checked(key), valid))

    async def check(self) -> None:
        """Ask the bucket for nothing in particular, to see whether it answers."""
        try:
            await self._asked(obstore.list_with_delimiter_async(self._store, prefix="readiness"))
        except ObjectNotFoundError:
            raise StorageRefusedError("404") from None

    async def aclose(self) -> None:
        """Wait, shortly, until the library's threads have let go of this interpreter, before it ends.

        They do so a moment after each answer. An interpreter that ends within that moment is aborted, see
        https://github.com/PyO3/pyo3-async-runtimes/issues/40
        """
        await asyncio.sleep(max(0.0, self._answered + SETTLE_SECONDS - time.monotonic()))

    async def _put(self, key: str, content: memoryview | AsyncIterator[bytes], attributes: "Attributes") -> int:
        head, rest = (content, None) if isinstance(content, memoryview) else await split_head(content)
        try:
            if rest is None:
                await self._asked(obstore.put_async(self._store, key, head, attributes=attributes, use_multipart=False))
                return len(head)
            upload = Upload(head, rest)
            await self._asked(upload.run(lambda parts: self._put_parts(key, parts, attributes)))
        except ObjectNotFoundError:
            # Of a server that does not say which code: the only thing to find here is the bucket.
            raise StorageRefusedError("404") from None
        return upload.size

    async def _put_parts(self, key: str, parts: AsyncIterator[bytes], attributes: "Attributes") -> None:
        await obstore.put_async(
            self._store, key, parts, attributes=attributes, chunk_size=PART_BYTES, max_concurrency=CONCURRENT_PARTS
        )

    @contextmanager
    def _span(self, op: str) -> Iterator[Callable[[str, Any], None]]:
        with sentry.start_span(op, f"{op} {self._bucket}") as span:
            span.set_data("storage.bucket", self._bucket)
            yield span.set_data

    async def _asked(self, question: Awaitable[Result]) -> Result:
        """Return the answer. What the library raises repeats the server: it is not even the cause of what goes on."""
        try:
            return await question
        except Exception as failure:
            error = translated(failure)
            if error is None:
                raise
        finally:
            self._answered = time.monotonic()
        raise error

    async def _chunks(self, result: "GetResult") -> AsyncIterator[bytes]:
        stream = aiter(result.stream(min_chunk_size=READ_BYTES))
        while True:
            try:
                chunk = await self._asked(anext(stream))
            except StopAsyncIteration:
                return
            yield bytes(chunk)
