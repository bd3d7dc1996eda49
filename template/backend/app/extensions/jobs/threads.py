"""Runs jobs without ``async`` beside the loop, in threads that do not hold up the end of the process."""

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


async def in_a_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 as of the function
    """Run a function in a thread of its own, and return what it returns.

    Nothing can interrupt it. asyncio's own threads would have to end before the process does, which then would hang on
    a job that hangs; a daemon thread ends with the process.
    """
    result: Future[Any] = Future()
    # So that nobody cancels what goes on all the same.
    result.set_running_or_notify_cancel()
    call = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
    threading.Thread(target=_settle, args=(result, call), name="job", daemon=True).start()
    return await asyncio.wrap_future(result)


def _settle(result: "Future[Any]", call: Callable[[], Any]) -> None:
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001 it is raised where the job is waited for
        result.set_exception(error)
    else:
        result.set_result(value)
