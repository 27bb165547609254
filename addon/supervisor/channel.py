"""The channel between the supervisor and a worker: objects of JSON, one a line, both ways. Bounded both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from socket import socket
from typing import cast

from ..exchange import JsonObject
from ..wire import json_body

LONGEST = 16 << 20
"""Bytes of a line. A longer one isn't of this program."""
MOST_UNSENT = 8 << 20
"""Bytes that may wait for a reader; further messages aren't sent until it has read."""


class Unreadable(Exception):
    """What came is no line of a channel."""


class Lines:
    """Splits bytes, as they come, into messages."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._length = 0

    def feed(self, data: bytes) -> list[JsonObject]:
        """The messages that `data` completes. Raises `Unreadable`; nothing can be read after that."""
        first, *rest = data.split(b"\n")
        self._parts.append(first)
        self._length += len(first)
        if self._length > self._longest:
            raise Unreadable("the line is too long")
        found = []
        for part in rest:
            found.append(_read(b"".join(self._parts)))
            self._parts, self._length = [part], len(part)
        return found


def _read(line: bytes) -> JsonObject:
    message = json_body.parse_object(line)
    if message is None:
        raise Unreadable("a line is no object of JSON")
    return message


def written(message: JsonObject) -> bytes:
    """A message as it goes over the channel."""
    return json_body.serialise(message) + b"\n"


class Channel(asyncio.Protocol):
    """One end of a channel. `hear` gets each message, and raises nothing; `gone` is called once, at its end."""

    def __init__(self, hear: Callable[[JsonObject], None], gone: Callable[[], None]) -> None:
        self._hear = hear
        self._gone = gone
        self._lines = Lines()
        self._transport: asyncio.Transport | None = None
        self._is_writable = asyncio.Event()
        self._is_writable.set()

    @classmethod
    async def over(cls, end: socket, hear: Callable[[JsonObject], None], gone: Callable[[], None]) -> Channel:
        """A channel over one socket of a pair, which it closes at its end."""
        _, protocol = await asyncio.get_running_loop().create_connection(lambda: cls(hear, gone), sock=end)
        return protocol

    @property
    def is_full(self) -> bool:
        """Whether so much waits for the other side that nothing more is sent."""
        return self._transport is None or self._transport.get_write_buffer_size() > MOST_UNSENT

    def send(self, message: JsonObject) -> bool:
        """Send `message`; `False` where the channel is full or at its end."""
        if self._transport is None or self.is_full:
            return False
        self._transport.write(written(message))
        return True

    async def sent(self) -> None:
        """Wait until what was sent is with the operating system."""
        await self._is_writable.wait()

    def close(self) -> None:
        """End the channel, once what was sent is out."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=0)  # so that `sent` waits for the last byte

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._is_writable.clear()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._is_writable.set()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            messages = self._lines.feed(data)
        except Unreadable:
            if self._transport is not None:
                self._transport.abort()
            return
        for message in messages:
            self._hear(message)

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        self._is_writable.set()
        self._gone()
