"""The start of mitmproxy: early clients wait until it is ready, and a start that fails ends cleanly.

mitmproxy opens its ports before it has certificates, and any error logged during the start ends it. An early request
would fail, log an error and end the start: a proxy whose clients keep retrying could never start.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

import mitmproxy_rs
from mitmproxy.addons.errorcheck import ErrorCheck
from mitmproxy.master import Master
from mitmproxy.utils import asyncio_utils

from .mitmproxy_internals import start

MOST = 1000
"""Clients that may wait at the same time."""
PATIENCE = 10.0
"""Seconds that a client waits."""
_PAUSE = 0.005
"""Seconds between two checks whether mitmproxy has started: there is no hook for that."""

NOT_STARTED = "mitmproxy has not started in time."
TOO_MANY = "mitmproxy is starting, and too many clients are waiting already."


class LateReader:
    """The reader of a client that had to wait: like `reader`, but the first read yields to the event loop once.

    mitmproxy starts its reading task before it stores it. If the client has already left, the read returns at once, and
    mitmproxy can't find the task to close the connection ("mitmproxy has crashed!").
    """

    def __init__(self, reader: asyncio.StreamReader | mitmproxy_rs.Stream) -> None:
        self._reader = reader
        self._first = True

    async def read(self, most: int) -> bytes:
        """Like `asyncio.StreamReader.read`."""
        if self._first:
            self._first = False
            await asyncio.sleep(0)
        return await self._reader.read(most)


class Starting:
    """The time until mitmproxy is ready. One per process: a hot reload isn't a start."""

    def __init__(self) -> None:
        self.over = False
        """mitmproxy is ready: it has its certificates, and a logged error no longer ends it."""
        self._ready = asyncio.Event()
        self._waiting = 0
        self._watch: asyncio.Task[None] | None = None

    def begin(self, master: Master, failed: Callable[[], Awaitable[None]]) -> None:
        """Watch the start of `master`, once. Calls `failed` if the process ends before mitmproxy has started.

        Without mitmproxy's ErrorCheck, as in tests, the start is over at once.
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
        """Wait until mitmproxy is ready. Returns why the client can't be served, or `None`."""
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
        """End the process with status 1 because of `problems`, which are in the log. Does nothing after the start.

        The process ends before mitmproxy opens a port. mitmproxy itself checks for logged errors after all ports are
        open, and ends without closing them: a thread of mitmproxy_rs, which has just opened the HTTP/3 port, may then
        call into an interpreter that is shutting down. CPython up to 3.13 unwinds such a thread through its Rust
        frames, and the process crashes (SIGSEGV, python/cpython#87135).
        """
        check = start.errorcheck(master)
        if self.over or check is None:
            return
        if start.hides_the_log(check):  # where mitmproxy's console hides the log
            sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        if task := asyncio.current_task():
            # SystemExit passes through the task that loads the script; asyncio would log that it was never retrieved.
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        sys.exit(1)
