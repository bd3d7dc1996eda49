"""Example routes: upload, download, delete, and links that expire. Put the users' permissions in front of them."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.core.exceptions import AppError
from app.extensions.storage.access import routes_open, storage
from app.extensions.storage.client import LINK_TIME, ObjectStorage
from app.extensions.storage.objects import new_key

LARGEST_UPLOAD = 25 * 1024 * 1024
"""In bytes. What is longer is refused, at the latest when this much has arrived."""

CONTENT_TYPES = ("application/pdf", "image/jpeg", "image/png", "image/webp", "text/csv", "text/plain")
"""What may be uploaded. Nothing that a browser runs, such as HTML and SVG."""

_LONGEST_NUMBER = 15

# A browser saves what it gets here and runs nothing of it, whatever was uploaded.
_SAFE_DOWNLOAD = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in CONTENT_TYPES},
    }
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The object",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ClosedError(AppError):
    """These routes are closed here."""

    status_code = HTTPStatus.FORBIDDEN


class TooLargeError(AppError):
    """The upload is longer than allowed."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        super().__init__(f"An upload may have up to {LARGEST_UPLOAD} bytes.")


class WrongTypeError(AppError):
    """The upload is of a type that is not allowed."""

    status_code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def __init__(self) -> None:
        super().__init__(f"The content type has to be one of {', '.join(CONTENT_TYPES)}.")


class ObjectInfo(BaseModel):
    """An object that is stored."""

    key: UUID = Field(description="The name under which it is stored; made here, never by the caller.")
    size: int = Field(description="In bytes.")
    content_type: str


class Link(BaseModel):
    """An address for one object that works without any other permission, for a while. Treat it as a secret."""

    key: UUID
    method: Literal["GET", "PUT"]
    url: str
    expires_in: int = Field(description="In seconds.")


def require_open() -> None:
    """Refuse callers where the example routes are closed: everywhere but in development, unless ``STORAGE_ROUTES``."""
    if not routes_open():
        raise ClosedError("The example routes of the object storage are closed here, see STORAGE_ROUTES.")


CurrentStorage = Annotated[ObjectStorage, Depends(storage)]

router = APIRouter(prefix="/storage", tags=["storage"], dependencies=[Depends(require_open)])


@router.post("/objects", status_code=HTTPStatus.CREATED, openapi_extra=_BODY)
async def upload_object(request: Request, bucket: CurrentStorage) -> ObjectInfo:
    """Store the body of the request, while it arrives."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in CONTENT_TYPES:
        raise WrongTypeError
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > _LONGEST_NUMBER or int(declared) > LARGEST_UPLOAD:
        raise TooLargeError
    key = new_key()
    stored = await bucket.put(key, _limited(request.stream()), content_type)
    return ObjectInfo(key=UUID(key), size=stored.size, content_type=content_type)


@router.get("/objects/{key}", response_class=StreamingResponse, responses=_FILE)
async def download_object(key: UUID, bucket: CurrentStorage) -> StreamingResponse:
    """Return an object, while it arrives."""
    download = await bucket.get(str(key))
    headers = {**_SAFE_DOWNLOAD, "Content-Length": str(download.about.size)}
    return StreamingResponse(download.chunks, headers=headers, media_type=download.about.content_type)


@router.delete("/objects/{key}", status_code=HTTPStatus.NO_CONTENT)
async def delete_object(key: UUID, bucket: CurrentStorage) -> None:
    """Delete an object."""
    await bucket.delete(str(key))


@router.post("/uploads", status_code=HTTPStatus.CREATED)
async def create_upload_link(bucket: CurrentStorage) -> Link:
    """Return a link with which a browser stores a new object without this API in between."""
    return await _link(bucket, "PUT", new_key())


@router.post("/objects/{key}/link", status_code=HTTPStatus.CREATED)
async def create_download_link(key: UUID, bucket: CurrentStorage) -> Link:
    """Return a link with which a browser reads an object without this API in between."""
    await bucket.stat(str(key))
    return await _link(bucket, "GET", str(key))


async def _link(bucket: ObjectStorage, method: Literal["GET", "PUT"], key: str) -> Link:
    url = await bucket.link(method, key)
    return Link(key=UUID(key), method=method, url=url, expires_in=int(LINK_TIME.total_seconds()))


async def _limited(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > LARGEST_UPLOAD:
            raise TooLargeError
        yield chunk
