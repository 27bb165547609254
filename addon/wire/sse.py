"""Server-sent events, sans-I/O: bytes split anywhere in, events that remember their bytes out.

The format: WHATWG HTML, section 9.2.6. What differs here, and why: comments and blank lines between events come out
as pieces without data, so that a keep-alive is passed on at once; and an event that the end of the stream cuts off
before its blank line is handed out, not dropped (`Parser.finish`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_EVENT = 2**20
"""Bytes that one event may have before it is passed on unread: reading more keeps other streams waiting."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_IDLE = re.compile(rb"(?:(?::[^\r\n]*+)?(?:\r\n|\n|\r))*+")
"""Further comments and blank lines: they come out with the first one, for a chunk may have thousands."""
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LONGEST_END = len(b"\r\n\r\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of a stream: an event, or comments and blank lines, or (`opaque`) a part of an oversized event."""

    raw: bytes
    """The bytes as they came, line ends and the blank line included."""
    opaque: bool = False

    @property
    def data(self) -> bytes | None:
        """The `data` lines, joined by newlines; None where there are none, or where the piece is opaque."""
        if self.opaque:
            return None
        raw = self.raw
        if raw.startswith(b"data: ") and raw.endswith(b"\n\n") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
            return raw[6:-2]
        lines = [_value(line) for line in self._lines() if _field(line) == b"data"]
        return b"\n".join(lines) if lines else None

    @property
    def comments(self) -> list[bytes]:
        """Its comment lines, without line ends; none where the piece is opaque."""
        return [] if self.opaque else [line for line in self._lines() if line.startswith(b":")]

    def with_data(self, data: bytes) -> bytes:
        """The event with other `data` (one line: JSON), complete; other fields and the line ends stay."""
        written = False
        lines: list[bytes] = []
        for line in self.raw.splitlines(keepends=True):
            text = line.rstrip(b"\r\n")
            if _field(text) != b"data":
                lines.append(line)
            elif not written:
                name, colon, value = text.partition(b":")
                space = b" " if value.startswith(b" ") or not colon else b""
                lines.append(name + b":" + space + data + line[len(text) :])
                written = True
        return complete(b"".join(lines))

    def _lines(self) -> list[bytes]:
        return self.raw.splitlines()  # of bytes it knows exactly the format's three line ends


class Parser:
    """Cuts a stream into events. The `raw` of all events, in order, is the input, byte for byte.

    `max_event` bounds the memory: of a larger event the bytes come out as they arrive, as opaque pieces.
    A line end CR at the very end of what has arrived waits for one more byte, since CRLF is one line end.
    """

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._buffer = bytearray()
        self._searched = 0
        self._oversized = False

    @property
    def is_empty(self) -> bool:
        """Whether everything that came was handed out, and the next byte begins a new event."""
        return not self._buffer and not self._oversized

    @property
    def held(self) -> int:
        """Bytes that wait for the end of their event."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take in bytes; what is complete comes out. What isn't asked for stays for `rest`."""
        self._buffer += data
        return self._events()

    def finish(self) -> Event | None:
        """The last event, which the end of the stream cut off before its blank line; None if there is none."""
        opaque = self._oversized
        raw = self.rest()
        return Event(raw, opaque) if raw else None

    def rest(self) -> bytes:
        """All bytes that were not handed out yet, given up unread."""
        raw = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        self._oversized = False
        return raw

    def _events(self) -> Iterator[Event]:
        while self._buffer:
            end = self._end()
            if end is not None:
                # In pieces it would have been given up one byte past the bound, before its last one came.
                opaque, self._oversized = self._oversized or end > self._max_event + 1, False
                yield Event(self._take(end), opaque)
            elif self._oversized or len(self._buffer) > self._max_event:
                self._oversized = True
                # What may be the start of the event's end has to wait for the rest of it.
                end = len(self._buffer) - (_LONGEST_END - 1)
                if end > 0:
                    yield Event(self._take(end), opaque=True)
                return
            else:
                return

    def _end(self) -> int | None:
        """Where the piece at the start of the buffer ends, if that is known yet."""
        known = len(self._buffer) - self._buffer.endswith(b"\r")
        alone = not self._oversized and self._buffer[0] in b":\r\n"
        match = (_LINE_END if alone else _EVENT_END).search(self._buffer, self._searched, known)
        if match:
            end = match.end()
            more = _IDLE.match(self._buffer, end, known) if alone else None
            return more.end() if more else end
        self._searched = max(0, known - _LONGEST_END)
        return None

    def _take(self, end: int) -> bytes:
        raw = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        return raw


_BEFORE = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*")
_MAX_BEFORE = 1024


class Opening:
    """Tells by its first bytes whether a body is an event stream, whatever its label says.

    No line of a stream begins with `{`, `[` or `<`: that is JSON, or a page. Anything else is taken for a stream.
    """

    def __init__(self) -> None:
        self._before: bytes | None = b""
        self.whole = False
        """The body is no stream."""

    def feed(self, data: bytes) -> bytes:
        """Take in bytes; those that are known to be a stream's, or a whole body's, come out."""
        if self._before is None or not data:
            return data
        data = self._before + data
        blank = _BEFORE.match(data)
        first = data[blank.end() :] if blank else data
        if len(data) < _MAX_BEFORE and (not first or _BOM.startswith(first)):
            self._before = data
            return b""
        self._before = None
        self.whole = first[:1] in (b"{", b"[", b"<")
        return data

    def finish(self) -> bytes:
        """What was held back where the body ended before it could be told: blanks."""
        before, self._before = self._before or b"", None
        return before


def event(data: bytes) -> bytes:
    """A new event with `data` (one line)."""
    return b"data: " + data + b"\n\n"


def is_done(data: bytes) -> bool:
    """Whether the data of an event is OpenAI's mark of a stream's end."""
    return data.strip() == b"[DONE]"


def complete(raw: bytes) -> bytes:
    """`raw` with the line ends that it lacks to be a whole event."""
    lines = raw.splitlines(keepends=True)
    if not lines or not lines[-1].strip(b"\r\n"):
        return raw
    # A final CR takes the first of two as its own.
    return raw + (b"\n" if lines[-1].endswith(b"\n") else b"\n\n")


def _field(line: bytes) -> bytes:
    return line.removeprefix(_BOM).partition(b":")[0]


def _value(line: bytes) -> bytes:
    return line.partition(b":")[2].removeprefix(b" ")
