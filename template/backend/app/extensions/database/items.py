"""An example: create, read, change and delete."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.core.exceptions import ConflictError, NotFoundError
from app.extensions.database.errors import is_duplicate
from app.extensions.database.models import LONGEST_NAME, Item
from app.extensions.database.session import Session

LONGEST_PAGE = 100
_LARGEST = 2**31 - 1

# PostgreSQL takes no zero in a text, and nobody reads the other control characters.
_Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00-\x1f\x7f]+$")
]
# What the column can hold.
_Id = Annotated[int, Path(ge=1, le=_LARGEST)]

router = APIRouter(prefix="/items", tags=["items"])


class ItemIn(BaseModel):
    """What a caller says about an item."""

    name: _Name = Field(description="Unlike that of any other item.")


class ItemOut(BaseModel):
    """An item."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    created_at: datetime


class ItemPage(BaseModel):
    """Some of the items, newest first."""

    items: list[ItemOut]
    total: int = Field(description="How many there are altogether.")


@router.get("")
async def list_items(
    session: Session,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = 20,
    offset: Annotated[int, Query(ge=0, le=_LARGEST)] = 0,
) -> ItemPage:
    """List items, newest first."""
    rows = await session.scalars(select(Item).order_by(Item.id.desc()).limit(limit).offset(offset))
    total = await session.scalar(select(func.count()).select_from(Item))
    return ItemPage(items=[ItemOut.model_validate(row) for row in rows], total=total or 0)


@router.post("", status_code=HTTPStatus.CREATED)
async def create_item(session: Session, wanted: ItemIn) -> ItemOut:
    """Create an item."""
    item = Item(name=wanted.name)
    session.add(item)
    await _write(session)
    return ItemOut.model_validate(item)


@router.get("/{item_id}")
async def get_item(session: Session, item_id: _Id) -> ItemOut:
    """Return an item."""
    return ItemOut.model_validate(await _find(session, item_id))


@router.patch("/{item_id}")
async def change_item(session: Session, item_id: _Id, wanted: ItemIn) -> ItemOut:
    """Change an item."""
    item = await _find(session, item_id, to_change=True)
    item.name = wanted.name
    await _write(session)
    return ItemOut.model_validate(item)


@router.delete("/{item_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_item(session: Session, item_id: _Id) -> None:
    """Delete an item."""
    await session.delete(await _find(session, item_id, to_change=True))


async def _find(session: Session, item_id: int, *, to_change: bool = False) -> Item:
    # Locked until the end, so that nobody deletes it meanwhile; SQLite locks the whole file by itself.
    item = await session.get(Item, item_id, with_for_update=to_change or None)
    if item is None:
        raise NotFoundError("There is no such item.")
    return item


async def _write(session: Session) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        raise ConflictError("There is an item with this name already.") from None
