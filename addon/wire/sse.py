"""Server-sent events, sans-I/O: takes bytes that are split anywhere, returns events that have kept their bytes.

The format is that of WHATWG HTML, section 9.2.6, but for two things. Comments and blank lines between events are
returned, as pieces without data, so that a keep-alive is passed on at once. And an event that the end of the stream
cuts off before its blank line is returned, not dropped (`Parser.finish`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_EVENT = 2**20
"""Bytes of an event. A larger one passes unread, since reading it would keep other streams waiting."""

BOM = b"\xef\xbb\xbf"
"""May stand before a stream. Anywhere else it belongs to the line behind it, whose field clients don't know then."""
COMMENT = b": keep-alive"
"""A line that tells a client that its stream goes on, and nothing else. DeepSeek sends it, so that clients know it
(docs/facts/clients.md#comments-in-streams)."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_IDLE = re.compile(rb"(?:(?::[^\r\n]*+)?(?:\r\n|\n|\r))*+")
"""Further comments and blank lines. They are returned with the first: a chunk may have thousands of them."""
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LONGEST_END = len(b"\r\n\r\n")
_BLANKS_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))[ \t]{0,16}(?:\r\n|\n|\r)")
"""The same where a line of blanks ends an event, too: Tencent Cloud's own API is seen to write one with a tab."""
_LONGEST_BLANKS_END = _LONGEST_END + 16


@dataclass(frozen=True, slots=True)
class Event:
    """A piece of a stream: an event, or comments and blank lines, or (`opaque`) a part of a too large event."""

    raw: bytes
    """All its bytes, line ends and the blank line included."""
    opaque: bool = False

    @property
    def data(self) -> bytes | None:
        """The values of its `data` lines, joined by newlines; `None` if it has no such line, or is opaque."""
        if self.opaque:
            return None
        plain = plain_data(self.raw)
        if plain is not None:
            return plain[0]
        lines = [_value(line) for line in self._lines() if _field(line) == b"data"]
        return b"\n".join(lines) if lines else None

    @property
    def comments(self) -> list[bytes]:
        """Its comment lines without line ends; none if it is opaque."""
        return [] if self.opaque else [line for line in self._lines() if line.startswith(b":")]

    def with_data(self, data: bytes) -> bytes:
        """Its bytes with other `data` (one line), and with its blank line. Other fields and the line ends stay."""
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


def plain_data(raw: bytes) -> list[bytes] | None:
    """The data of bytes that are whole events with nothing but one line `data: …` each, as most are; else `None`."""
    if not raw.startswith(b"data: ") or not raw.endswith(b"\n\n") or raw.find(b"\r") >= 0:
        return None
    data = raw[6:-2].split(b"\n\ndata: ")
    return data if raw.count(b"\n") == 2 * len(data) else None


class Parser:
    """Cuts a stream into events. The `raw` of all events, joined, equals the input.

    The bytes of an event larger than `max_event` are returned as they arrive, in opaque pieces: that bounds the memory.
    A CR at the end of the bytes that have arrived waits for one more byte, since CRLF is one line end. With `blanks` a
    line of blanks ends an event, as an empty one does.
    """

    def __init__(self, max_event: int = MAX_EVENT, *, blanks: bool = False) -> None:
        self._max_event = max_event
        self._event_end = _BLANKS_END if blanks else _EVENT_END
        self._longest_end = _LONGEST_BLANKS_END if blanks else _LONGEST_END
        self._buffer = bytearray()
        self._searched = 0
        self._oversized = False

    @property
    def is_empty(self) -> bool:
        """Whether all bytes were returned, and the next one begins an event."""
        return not self._buffer and not self._oversized

    @property
    def is_within(self) -> bool:
        """Whether a part of an event was returned whose rest is to come, since it is too large."""
        return self._oversized

    @property
    def held(self) -> int:
        """The number of bytes that wait for the end of their event."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Event]:
        """Add bytes, and return the events that are complete now. Those that aren't asked for stay for `rest`."""
        self._buffer += data
        return self._events()

    def finish(self) -> Event | None:
        """The event that the end of the stream cut off before its blank line; `None` if there is none."""
        opaque = self._oversized
        raw = self.rest()
        return Event(raw, opaque) if raw else None

    def rest(self) -> bytes:
        """All bytes that were not returned yet. The parser is empty afterwards."""
        raw = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        self._oversized = False
        return raw

    def _events(self) -> Iterator[Event]:
        while self._buffer:
            end = self._end()
            if end is not None:
                # The same bound as for bytes that come singly: max_event + 1 of them are here and the end isn't.
                opaque, self._oversized = self._oversized or end > self._max_event + 1, False
                yield Event(self._take(end), opaque)
            elif self._oversized or len(self._buffer) > self._max_event:
                self._oversized = True
                # The last bytes may be the first ones of the event's end: they wait for the rest of it.
                end = len(self._buffer) - (self._longest_end - 1)
                if end > 0:
                    yield Event(self._take(end), opaque=True)
                return
            else:
                return

    def _end(self) -> int | None:
        """The length of the piece at the start of the buffer; `None` while its end isn't there."""
        known = len(self._buffer) - self._buffer.endswith(b"\r")
        alone = not self._oversized and self._buffer[0] in b":\r\n"
        match = (_LINE_END if alone else self._event_end).search(self._buffer, self._searched, known)
        if match:
            end = match.end()
            more = _IDLE.match(self._buffer, end, known) if alone else None
            return more.end() if more else end
        self._searched = max(0, known - self._longest_end)
        return None

    def _take(self, end: int) -> bytes:
        raw = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        return raw


_BEFORE = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*")
_MAX_BEFORE = 1024


class Opening:
    """Tells from the first bytes of a body whether it is an event stream, whatever its content type says.

    No line of a stream begins with `{`, `[` or `<`: JSON does, or a page. Any other body is taken for a stream.
    """

    def __init__(self) -> None:
        self._before: bytes | None = b""
        self.whole = False
        """Whether the body is known to be no stream."""

    def feed(self, data: bytes) -> bytes:
        """Add bytes, and return those that are not held back: blanks are, until another byte tells what the body is."""
        if self._before is None or not data:
            return data
        data = self._before + data
        blank = _BEFORE.match(data)
        first = data[blank.end() :] if blank else data
        if len(data) < _MAX_BEFORE and (not first or BOM.startswith(first)):
            self._before = data
            return b""
        self._before = None
        self.whole = first[:1] in (b"{", b"[", b"<")
        return data

    def finish(self) -> bytes:
        """The blanks that are held back still, for a body that has nothing else."""
        before, self._before = self._before or b"", None
        return before


def is_stream(text: bytes) -> bool:
    """Whether a whole body is an event stream, whatever its content type says."""
    opening = Opening()
    return bool(opening.feed(text)) and not opening.whole and b"data:" in text


def event(data: bytes) -> bytes:
    """An event with `data`, which is one line."""
    return b"data: " + data + b"\n\n"


def is_done(data: bytes) -> bool:
    """Whether the data of an event is `[DONE]`, with which OpenAI's streams end."""
    return data.strip() == b"[DONE]"


def complete(raw: bytes) -> bytes:
    """The bytes of an event, with the line ends that it lacks at its end."""
    lines = raw.splitlines(keepends=True)
    if not lines or not lines[-1].strip(b"\r\n"):
        return raw
    # After a final CR the first newline is part of its line end: two are needed.
    return raw + (b"\n" if lines[-1].endswith(b"\n") else b"\n\n")


def _field(line: bytes) -> bytes:
    return line.removeprefix(BOM).partition(b":")[0]


def _value(line: bytes) -> bytes:
    return line.partition(b":")[2].removeprefix(b" ")
