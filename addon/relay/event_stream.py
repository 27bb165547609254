"""A streamed answer on its way through the relay, sans-I/O: bytes split anywhere in, whole events out."""

from __future__ import annotations

from ..exchange import JsonObject
from ..wire import content_coding, flaws, json_body, sse
from ..wire.flaws import Flaw
from . import commitment
from .reading import Reading

MAX_HELD = 1 << 20
"""Bytes that are held back before a stream has begun, or of one incomplete event. More are passed on unread."""


class EventStream:
    """One stream. Events keep their bytes; only a content coding is removed, since an error may have to be added.

    An event is passed on when it is complete: clients can't use a part of one, and a part that was sent can't be taken
    back if the stream breaks. `encoding` is the stream's content coding; `reading` reads the answers of this try.
    `waits`: it has begun with the first event that says something, not with one that only opens it.
    Raises `CodingError` when made for an unknown coding, and from `feed` for damaged data.
    """

    def __init__(self, encoding: str, reading: Reading, *, waits: bool = False) -> None:
        self._reading = reading
        self._waits = waits
        self._unpack = content_coding.unpacker(encoding)
        self._parser = sse.Parser(MAX_HELD, blanks=not reading.is_house)
        self._opening = sse.Opening()
        self._passed = 0
        self.opened = False
        """The first event that counts has come: the endpoint is about to answer."""
        self.begun = False
        """So it has, or, where it `waits`, one that says something; or more than `MAX_HELD` was held back."""
        self.flaw: Flaw | None = None
        """Why this is no answer. Set only before the stream has begun."""
        self.whole = False
        """The body is one JSON text or page, not events. `feed` returns nothing of it."""
        self.settled = False
        """The client knows how the answer ended: by a finish reason, `[DONE]` or the endpoint's own error."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes. Returns the complete events in them."""
        data = self._opening.feed(self._unpack(data))
        self.whole = self._opening.whole
        return data if self.whole else b"".join(self._passed_on(event) for event in self._parser.feed(data))

    def finish(self) -> bytes:
        """The remaining bytes, once the HTTP message has ended. A stream that hasn't begun by then has a flaw."""
        rest = b"".join(self._passed_on(event) for event in self._parser.feed(self._opening.finish()))
        last = self._parser.finish()
        rest += self._passed_on(last) if last else b""
        if not self.begun and self.flaw is None:
            self.flaw = flaws.EMPTY_STREAM
        return rest

    def broken(self, error: bytes) -> bytes:
        """The last bytes after the endpoint broke off: the last event if it is readable, then an event with `error`.

        The error (one line of JSON) is left out if the client has already been told how the answer ended.
        """
        last = self._parser.finish()
        return (self._closed(last) if last else b"") + (b"" if self.settled else sse.event(error))

    def _closed(self, torn: sse.Event) -> bytes:
        """An event that lacks at least its blank line, completed; empty if clients couldn't read it."""
        if torn.opaque:
            return torn.raw + b"\n\n"  # its beginning was passed on
        data = torn.data
        if data is None or not (sse.is_done(data) or json_body.parse_object(data) is not None):
            return b""
        return sse.complete(self._passed_on(torn))

    def _passed_on(self, event: sse.Event) -> bytes:
        self._passed += len(event.raw)
        opening = not self.begun and self.flaw is None
        if not opening and self._reading.goes_on(event.raw):
            return event.raw  # most events of a stream
        data = event.data
        value = None if data is None else json_body.parse_object(data)
        chunks = None if value is None else self._reading.chunks(value)
        if opening:
            verdict = commitment.opens(event, chunks, self._reading)
            if isinstance(verdict, Flaw):
                self.flaw = verdict
            else:
                self.opened = self.opened or verdict
                counts = verdict and (not self._waits or commitment.says_something(event, value, chunks, self._reading))
                self.begun = counts or self._passed > MAX_HELD
        done = data is not None and sse.is_done(data)
        self.settled = self.settled or done or any(map(_settles, chunks or ()))
        return event.raw


def _settles(chunk: JsonObject) -> bool:
    """Whether the answer's end is told by `chunk`."""
    choices = chunk.get("choices")
    finished = isinstance(choices, list) and any(isinstance(c, dict) and c.get("finish_reason") for c in choices)
    return finished or bool(chunk.get("error"))
