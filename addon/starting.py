"""The start of mitmproxy: clients that come before it is ready wait, and one that is refused or fails ends in order.

mitmproxy opens its ports before it has certificates, and ends its start at any error that is logged meanwhile. So a
request in that moment would fail, and with it the start: a proxy whose clients don't stop trying could never start.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

import mitmproxy_rs
from mitmproxy.addons.errorcheck import ErrorCheck
from mitmproxy.master import Master
from mitmproxy.utils import asyncio_utils

from addon.hooks.mitmproxy_internals import start

MOST = 1000
"""Clients that may wait."""
PATIENCE = 10.0
"""Seconds that each of them waits."""
_PAUSE = 0.005
"""Seconds between two looks at whether mitmproxy has started: it has no hook for that."""

NOT_STARTED = "mitmproxy has not started in time."
TOO_MANY = "mitmproxy is just starting, and too many clients wait for it."


class LateReader:
    """The reader of a client that had to wait: as `reader`, but the first read doesn't return in the same moment.

    mitmproxy reads in a task that it doesn't know yet when that begins; if its client has left meanwhile, that is known
    at once, and mitmproxy looks for the task to close the connection ("mitmproxy has crashed!").
    """

    def __init__(self, reader: asyncio.StreamReader | mitmproxy_rs.Stream) -> None:
        self._reader = reader
        self._first = True

    async def read(self, most: int) -> bytes:
        """As `asyncio.StreamReader.read`."""
        if self._first:
            self._first = False
            await asyncio.sleep(0)
        return await self._reader.read(most)


class Starting:
    """What happens until mitmproxy is ready. One a process: a hot reload is no start."""

    def __init__(self) -> None:
        self.over = False
        """mitmproxy is ready: it has its certificates, and no error ends it any more."""
        self._ready = asyncio.Event()
        self._waiting = 0
        self._watch: asyncio.Task[None] | None = None

    def begin(self, master: Master, failed: Callable[[], Awaitable[None]]) -> None:
        """Watch `master` start, once. `failed` is called if the process ends before it has started.

        Where mitmproxy doesn't look for errors, as in a test, the start is over at once.
        """
        if self.over or self._watch is not None:
            return
        check = start.errorcheck(master)
        if check is None:
            self._finish()
        else:
            self._watch = asyncio_utils.create_task(
                self._until_over(check, failed), name="hunyuan-fix start", keep_ref=True
            )

    async def _until_over(self, check: ErrorCheck, failed: Callable[[], Awaitable[None]]) -> None:
        try:
            while not start.is_over(check):  # noqa: ASYNC110 - mitmproxy has no hook for it
                await asyncio.sleep(_PAUSE)
        except asyncio.CancelledError:
            await failed()
            raise
        self._finish()

    def _finish(self) -> None:
        self.over = True
        self._ready.set()

    async def wait(self) -> str | None:
        """Wait, as a client, until mitmproxy is ready. Returns why it can't be served; `None` if it can."""
        if self._waiting >= MOST:
            return TOO_MANY
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ready.wait()
        except TimeoutError:
            return NOT_STARTED
        finally:
            self._waiting -= 1
        return None

    def refuse(self, master: Master, problems: Sequence[str]) -> None:
        """End the process with status 1 for `problems`, which are in the log; does nothing once it has started.

        At once, before mitmproxy opens a port. It would look for logged errors only when all are open, and end without
        closing them: then a thread of mitmproxy_rs's, which has just opened the one for HTTP/3, may call into a Python
        that is being taken down. CPython up to 3.13 unwinds such a thread through its Rust frames, and the process
        crashes (SIGSEGV, python/cpython#87135).
        """
        check = start.errorcheck(master)
        if self.over or check is None:
            return
        if start.hides_the_log(check):
            sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        if task := asyncio.current_task():
            # The exit goes through the task that loads the script, and asyncio would log that nobody looks at it.
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        sys.exit(1)
