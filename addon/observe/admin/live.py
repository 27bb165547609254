"""Events as they are told, for listeners: server-sent events.

A listener has no queue: it has a place in the ring of events (`observe.last_exchanges`), and one write at most that its
connection hasn't taken yet. Events that come meanwhile wait in the ring. The ring passes over a listener that reads too
slowly: it is sent a last event that says so, and is dropped. Nothing of this is awaited where events are told.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from ...events import Event
from ...wire import json_body
from ..last_exchanges import LastExchanges

MOST = 32
"""Listeners at the same time."""
GATHERED = 0.1
"""Seconds for which events gather before they are sent."""
HEARTBEAT = 15.0
"""Seconds without an event after which a comment is sent, so that nothing between takes the connection for dead."""
PATIENCE = 30.0
"""Seconds that a connection may take for one write."""
_MOST_AT_ONCE = 500
"""Events of one write."""

_LOOK = 1.0
"""Seconds between two looks at listeners while nothing is told."""

TYPE = "text/event-stream"
_RETRY = 2000
"""Milliseconds after which a browser connects again."""
_HEARTBEAT_COMMENT = b":\n\n"


class Connection(Protocol):
    """A connection whose answer has begun."""

    def write(self, data: bytes) -> bool:
        """Send `data`. `False`, and nothing is sent, while the connection hasn't taken the write before."""

    def end(self, last: bytes) -> None:
        """Send `last`, and close the connection: soon, if it doesn't take that."""


@dataclass(slots=True, eq=False)
class Listener:
    """A connection that is sent events."""

    connection: Connection
    at: int
    """The number of the last event that it was sent, or that it doesn't want."""
    kinds: Collection[str]
    is_allowed: Callable[[], bool]
    until: float
    """When it ends, on the loop's clock."""
    sent: float
    """When its connection took something last."""


class Live:
    """The listeners of one server."""

    def __init__(self, ring: LastExchanges, *, most: int = MOST) -> None:
        self._ring = ring
        self._most = most
        self._listeners: set[Listener] = set()
        self._come = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._boot = secrets.token_hex(4)
        """Begins the ids of this process's events: those of another are not in the ring."""

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def is_full(self) -> bool:
        """Whether no further listener is taken."""
        return len(self._listeners) >= self._most

    def add(
        self,
        connection: Connection,
        *,
        last: str = "",
        kinds: Collection[str] = (),
        seconds: float | None = None,
        is_allowed: Callable[[], bool] = lambda: True,
    ) -> Listener:
        """Send events to `connection` from now on, or from the one after that with the id `last`.

        `kinds`: those alone; none: all. `seconds`: for so long; 0: those that are there. `is_allowed`: whether it may
        still hear them, asked again and again.
        """
        now = asyncio.get_running_loop().time()
        until = float("inf") if seconds is None else now + seconds
        listener = Listener(connection, self._ring.heard, kinds, is_allowed, until, now)
        connection.write(b"retry: %d\n\n%s" % (_RETRY, self._resumed(listener, last)))
        self._listeners.add(listener)
        self._ring.woken = self._come.set
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="hunyuan-fix tells events")
        self._come.set()
        return listener

    def _resumed(self, listener: Listener, last: str) -> bytes:
        """Let `listener` go on after the event with the id `last`; what it is to be told of those that are missing."""
        boot, _, number = last.rpartition("-")
        if not last:
            return b""
        if boot != self._boot or not (number.isascii() and number.isdigit()) or len(number) > 15:
            return _event("gap", {"why": "restarted"})
        listener.at = min(int(number), self._ring.heard)
        if missed := self._missed(listener):
            listener.at += missed
            return _event("gap", {"why": "too_late", "missed": missed})
        return b""

    def remove(self, listener: Listener) -> None:
        """Its connection is gone."""
        self._listeners.discard(listener)
        if not self._listeners:
            self._ring.woken = None
            self._come.set()

    def close(self) -> None:
        """Send all listeners what is there, and end them: the process ends."""
        for listener in list(self._listeners):
            data, _ = self._batch(listener, {})
            self._end(listener, "closing", data)

    async def _run(self) -> None:
        while self._listeners:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._come.wait()
            self._come.clear()
            written: dict[int, bytes] = {}
            for listener in list(self._listeners):
                self._serve(listener, written)
            await asyncio.sleep(GATHERED)

    def _serve(self, listener: Listener, written: dict[int, bytes]) -> None:
        now = asyncio.get_running_loop().time()
        if not listener.is_allowed():
            self._end(listener, "not_allowed")
            return
        if missed := self._missed(listener):
            self._end(listener, "too_slow", missed=missed)
            return
        data, at = self._batch(listener, written)
        if now >= listener.until and at >= self._ring.heard:
            self._end(listener, "time_is_up", data)
        elif not data and now - listener.sent < HEARTBEAT:
            listener.at = at
        elif listener.connection.write(data or _HEARTBEAT_COMMENT):
            listener.at, listener.sent = at, now
            if at < self._ring.heard:
                self._come.set()
        elif now - listener.sent > HEARTBEAT + PATIENCE:
            self._end(listener, "too_slow", missed=self._ring.heard - listener.at)

    def _missed(self, listener: Listener) -> int:
        """How many events it can't be sent any more."""
        return max(0, self._ring.oldest - 1 - listener.at)

    def _batch(self, listener: Listener, written: dict[int, bytes]) -> tuple[bytes, int]:
        """What `listener` gets next, and the number of the last event of it. `written`: events by number, as bytes."""
        found, at = [], listener.at
        for at, event in islice(self._ring.since(listener.at), _MOST_AT_ONCE):
            if not listener.kinds or event.kind in listener.kinds:
                if at not in written:
                    written[at] = self._written(at, event)
                found.append(written[at])
        return b"".join(found), at

    def _written(self, number: int, event: Event) -> bytes:
        data = {"exchange": event.id, "kind": event.kind, "at": event.at, "data": event.data}
        return _event(event.kind, data, f"{self._boot}-{number}")

    def _end(self, listener: Listener, why: str, data: bytes = b"", **more: int) -> None:
        self.remove(listener)
        listener.connection.end(data + _event("end", {"why": why, **more}))


def _event(name: str, data: object, id: str = "") -> bytes:
    named = f"id: {id}\n" if id else ""
    return f"{named}event: {name}\ndata: ".encode() + json_body.serialise(data) + b"\n\n"
