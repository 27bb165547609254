"""Graceful shutdown: finish active exchanges, refuse new ones with 503, stop after `hunyuan_drain_timeout`."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from mitmproxy import http
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils

from ..texts.terminal import say
from .mitmproxy_internals import connections

logger = logging.getLogger("hunyuan_fix")

_LAST_WORDS = 2.0
"""Seconds for sending clients the error that says the proxy has stopped. Clients that don't read aren't waited for."""
_PAUSE = 0.02
"""Seconds between two looks at whether an answer's last bytes are out: mitmproxy has no hook for that."""
_MANY = 64
"""Answers kept before the sent ones are dropped for the first time: a look at one takes some 20 µs."""
_LINGER = 0.5
"""Seconds for which an HTTP/2 connection stays after its last answer: its client still sends window updates for what
it reads, and if those meet a closed socket it loses the rest."""


class Draining:
    """Waits for what is under way when the process is told to end."""

    def __init__(self) -> None:
        self.begun = False
        """From now on new exchanges are refused."""
        self._ended = asyncio.Event()
        self._answers: list[_Answer] = []
        self._many = _MANY

    def begin(self) -> None:
        """Refuse new exchanges from now on."""
        self._forget_sent()
        self.begun = True

    def ended(self, flow: http.HTTPFlow, handler: ConnectionHandler | None) -> None:
        """Note that the exchange of `flow` has ended. Called in its last hook; mitmproxy sends the answer after it.

        `handler` has the client's connection, `None` if that is gone.
        """
        if not self.begun and len(self._answers) >= self._many:
            self._forget_sent()
            self._many = max(_MANY, 2 * len(self._answers))
        if handler is not None:
            self._answers.append(_Answer.to(flow, handler))
        self._ended.set()

    async def wait(self, live: Callable[[], int], seconds: float, told: asyncio.Event) -> int:
        """Wait until no exchange is `live()` and the last answer is sent, for at most `seconds`.

        `told` is mitmproxy's `should_exit`, the event that tells the process to end. It is cleared during the wait and
        set again after it, so that a second signal, which sets it too, ends the wait at once. Returns the number of
        exchanges that are cut.
        """
        if waited_for := live():
            logger.info(
                "%s",
                say(
                    "Ending: requests under way have {seconds:g} seconds to finish ({count} now). A second signal ends "
                    "them at once.",
                    seconds=seconds,
                    count=waited_for,
                ),
            )
        await self._wait(live, seconds, told)
        if cut := live() + self._unsent():
            logger.warning("%s", say("Requests cut while under way: {count}.", count=cut))
        return cut

    async def wait_for_last_words(self, live: Callable[[], int], told: asyncio.Event) -> None:
        """Wait until `live()`, the cut exchanges whose clients are still being sent an error, is 0.

        Two seconds at most, or until `told` is set again, as in `wait`.
        """
        await self._wait(live, _LAST_WORDS, told)

    async def _wait(self, live: Callable[[], int], seconds: float, told: asyncio.Event) -> None:
        told.clear()
        waiting = {
            asyncio_utils.create_task(self._until_done(live), name="last exchanges", keep_ref=True),
            asyncio_utils.create_task(told.wait(), name="told again", keep_ref=True),
        }
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            told.set()

    async def _until_done(self, live: Callable[[], int]) -> None:
        while True:
            self._ended.clear()
            if live():
                await self._ended.wait()
            elif self._unsent():
                await asyncio.sleep(_PAUSE)
            else:
                break
        if any(answer.http2 for answer in self._answers):
            await asyncio.sleep(_LINGER)

    def _forget_sent(self) -> None:
        self._answers = [answer for answer in self._answers if not answer.is_sent]

    def _unsent(self) -> int:
        return sum(not answer.is_sent for answer in self._answers)


@dataclass(slots=True)
class _Answer:
    """An answer that mitmproxy is sending: it passes mitmproxy's layers and buffers, then the operating system."""

    http2: bool
    flow: weakref.ref[http.HTTPFlow]
    handler: weakref.ref[ConnectionHandler]
    transport: asyncio.WriteTransport | None
    """Kept, because mitmproxy forgets a connection that it closes before the last bytes are out."""

    @classmethod
    def to(cls, flow: http.HTTPFlow, handler: ConnectionHandler) -> _Answer:
        return cls(flow.request.is_http2, weakref.ref(flow), weakref.ref(handler), connections.transport(handler))

    @property
    def is_sent(self) -> bool:
        flow, handler = self.flow(), self.handler()
        if flow is not None and flow.live:
            return False
        if self.http2 and handler is not None and connections.holds_back(handler):
            return False
        return self.transport is None or not self.transport.get_write_buffer_size()
