"""A look at a disk: in a thread that nothing waits for, since a network disk may never answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


async def in_thread[T](work: Callable[[], T]) -> T:
    """What `work` returns or raises, from a thread of its own.

    Not `asyncio.to_thread`: its few threads are everybody's, and the process waits for them at its end. This one is a
    daemon.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        value: T
        try:
            value = work()
        except BaseException as error:
            settle = _raises(result, error)
        else:
            settle = _returns(result, value)
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, name="hunyuan-fix looks", daemon=True).start()
    return await result


def _returns[T](result: asyncio.Future[T], value: T) -> Callable[[], None]:
    return lambda: None if result.done() else result.set_result(value)


def _raises[T](result: asyncio.Future[T], error: BaseException) -> Callable[[], None]:
    # A future takes no StopIteration.
    given = RuntimeError(type(error).__name__) if isinstance(error, StopIteration) else error
    return lambda: None if result.done() else result.set_exception(given)
