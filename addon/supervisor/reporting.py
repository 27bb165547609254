"""A worker's end of the channel: it says when it serves clients, answers what it is asked, and tells its events.

Events go as they are kept (`observe.last_exchanges`): what the channel can't take waits in that ring, and is lost with
it once it is too old. A lost channel means that the supervisor is gone: the worker ends then, as after SIGTERM.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import islice
from socket import socket

from ..exchange import JsonObject
from ..observe.admin.rooms import Rooms
from ..observe.merged_metrics import dump
from ..observe.metrics import Metrics
from ..texts import LANGUAGES
from ..texts.terminal import say
from ..wire import safe_text
from . import questions
from .channel import Channel

logger = logging.getLogger("hunyuan_fix")

_GATHERED = 0.1
"""Seconds for which events gather before they are told."""
_MOST_AT_ONCE = 500
"""Events of one message."""
_LAST_WORDS = 1.0
"""Seconds for the last message of a worker that ends."""


class Reporter:
    """Answers for a worker, whose numbers are in `metrics` and `rooms`.

    `retire`: hand over to another worker, and return once this one isn't needed; `end`: end the process in peace, when
    it is called again at once; `check_key`: what is to be said of the key.
    """

    def __init__(
        self,
        metrics: Metrics,
        rooms: Rooms,
        *,
        retire: Callable[[], Awaitable[None]],
        end: Callable[[], None],
        check_key: Callable[[], Awaitable[JsonObject]],
    ) -> None:
        self._metrics = metrics
        self._rooms = rooms
        self._retire = retire
        self._end = end
        self._check_key = check_key
        self._channel: Channel | None = None
        self._come = asyncio.Event()
        self._told = 0
        """The number of the last event that was told."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, end_of_channel: socket, about: JsonObject) -> None:
        """Clients are served from now on: say so, and listen. `about`: what the supervisor has to know."""
        self._channel = await Channel.over(end_of_channel, self._hear, self._gone)
        self._rooms.exchanges.woken = self._come.set
        self._keep(self._tell_events())
        self.tell("ready", about)

    def tell(self, kind: str, about: JsonObject) -> None:
        """Send a message of this kind."""
        if self._channel is not None:
            self._channel.send({**about, "kind": kind})

    async def last_words(self) -> None:
        """Tell all that has been counted until now. The worker ends; a lost channel no longer matters."""
        channel, self._channel = self._channel, None
        if channel is None:
            return
        self._tell_what_came(channel)
        channel.send(self._snapshot(0))
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await channel.sent()
        except TimeoutError:
            pass  # the supervisor doesn't read: it has an older snapshot
        channel.close()

    def _hear(self, message: JsonObject) -> None:
        if self._channel is None:
            return
        match message.get("kind"):
            case "snapshot":
                self._tell_what_came(self._channel)
                self._channel.send(self._snapshot(message.get("number")))
            case "key":
                self._keep(self._tell_of_key())
            case questions.QUESTION:
                self._keep(questions.answer(self._rooms.page, message, self._channel))
            case "retire":
                self._keep(self._hand_over())
            case "end" if not self._rooms.draining:  # it may have had a signal of its own
                self._end()
            case "end now":
                self._end()

    def _gone(self) -> None:
        if self._channel is not None:
            logger.warning("%s", say("The process that has started this worker is gone: the worker ends."))
            self._channel = None
            self._end()

    def _snapshot(self, number: object) -> JsonObject:
        try:
            return {
                "kind": "snapshot",
                "number": number,
                "metrics": dump(self._metrics),
                "checks": {language: list(self._rooms.checks(language)) for language in LANGUAGES},
                "status": self._rooms.status(""),
                "not_ready": self._rooms.why_not_ready(),
            }
        except Exception as error:  # the worker serves on, and the supervisor keeps what it has
            said = say("A worker can't say what it has counted:")
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))
            return {"kind": "nothing", "number": number}

    async def _tell_events(self) -> None:
        while True:
            await self._come.wait()
            self._come.clear()
            await asyncio.sleep(_GATHERED)
            if self._channel is not None:
                self._tell_what_came(self._channel)

    def _tell_what_came(self, channel: Channel) -> None:
        ring = self._rooms.exchanges
        while self._told < ring.heard and not channel.is_full:
            batch = list(islice(ring.since(self._told), _MOST_AT_ONCE))
            events = [[event.kind, event.id, event.at, event.data] for _, event in batch]
            if not batch or not channel.send({"kind": "events", "events": events}):
                return
            self._told = batch[-1][0]

    async def _tell_of_key(self) -> None:
        self.tell("key", {"key": await self._check_key()})

    async def _hand_over(self) -> None:
        await self._retire()
        self._end()

    def _keep(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
