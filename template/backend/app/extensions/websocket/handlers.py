"""What each message does. Here your own messages go: a model in ``messages.py``, and a branch in ``handle``."""

import logging
from http import HTTPStatus

from pydantic import ValidationError

from app.core import sentry
from app.core.exceptions import AppError, AuthenticationError, NotFoundError
from app.extensions.websocket.connection import Connection
from app.extensions.websocket.messages import CLIENT_MESSAGE, Break, Failure, Ping, Pong, Said, Say
from app.extensions.websocket.room import Room

OPERATION = "websocket.server"
UNEXPECTED = "Something went wrong on our side."

_LONGEST_DETAIL = 300
_FAILED = "%s answered %s | event_id=%s, connection_id=%s"

logger = logging.getLogger(__name__)


async def handle(message: Say | Break, connection: Connection, room: Room, *, may_break: bool) -> None:
    """Do what a message asks for. What it raises is answered: an ``AppError`` with its own words."""
    if isinstance(message, Say):
        room.broadcast(Said(sender=connection.id, text=message.text))
        return
    if not may_break:
        raise NotFoundError("The diagnostics are closed here.")
    raise RuntimeError("The WebSocket broke on purpose")


async def answer(text: str, connection: Connection, room: Room, *, path: str, may_break: bool) -> None:
    """Read a message and do what it asks for, as a transaction of its own. Never raises: the connection stays.

    Args:
        text: As it came.
        connection: From where.
        room: Where it is heard.
        path: Where the endpoint is, for the name of the transaction.
        may_break: Whether the client may make it fail.
    """
    try:
        message = CLIENT_MESSAGE.validate_json(text)
    except ValidationError as error:
        connection.send(_invalid(error))
        return
    if isinstance(message, Ping):
        # Not traced: there are many, and none says anything.
        connection.send(Pong(connections=room.connections))
        return
    name = f"{path} {message.type}"
    with sentry.isolated_work(name, OPERATION) as transaction:
        try:
            await handle(message, connection, room, may_break=may_break)
            transaction.set_http_status(HTTPStatus.OK)
        except AppError as error:
            if isinstance(error, AuthenticationError):
                sentry.record_auth_error(error.reason)
            is_ours = error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
            event_id = sentry.capture_exception(error) if is_ours else None
            if is_ours:
                logger.warning(_FAILED, name, int(error.status_code), event_id, connection.id)
            transaction.set_http_status(error.status_code)
            connection.send(failure(error.status_code, error.detail, event_id))
        except Exception as error:
            # Whatever a message does, the connection stays, so nobody further out sees the stack. No error by level: it
            # is reported already.
            event_id = sentry.capture_unhandled(error)
            logger.warning(_FAILED, name, int(HTTPStatus.INTERNAL_SERVER_ERROR), event_id, connection.id, exc_info=True)
            transaction.set_http_status(HTTPStatus.INTERNAL_SERVER_ERROR)
            connection.send(failure(HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED, event_id))


def failure(status: HTTPStatus, detail: str, event_id: str | None = None) -> Failure:
    """Return a message that says what is wrong."""
    return Failure(title=status.phrase, status=status, detail=detail, event_id=event_id)


def _invalid(error: ValidationError) -> Failure:
    """Say what is wrong, to who sent it and to nobody else."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, fault["loc"]))
    detail = f"The message is not valid: {where + ': ' if where else ''}{fault['msg']}"
    return failure(HTTPStatus.UNPROCESSABLE_ENTITY, detail[:_LONGEST_DETAIL])
