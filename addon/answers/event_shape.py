"""An event that differs from the one before it in a single text: recognised by its bytes, without reading it.

Most chunks of a stream are such: the head, the choice and the keys are those of the chunk before, and a string holds
the next piece of the answer or of a call's arguments. So an event that was read once stands for those that follow.
"""

from __future__ import annotations

import re
from typing import Self

import orjson

_COLON = rb"[ \t]*:[ \t]*"
"""JSON allows line ends around it too, but in an event they begin another line."""
_INSIDE = rb'(?:[^"\\\r\n]++|\\.)'
_SPOKEN = re.compile(rb'"(?:reasoning_)?content"%b("%b++")' % (_COLON, _INSIDE))
_ARGUMENTS_KEY = b'"arguments"'
_ARGUMENTS = re.compile(rb'%b%b("%b*+")' % (_ARGUMENTS_KEY, _COLON, _INSIDE))


class Shape:
    """The bytes of one event but for one of its strings, and what is sent in place of events of that shape.

    `before` ends with the string's opening quotation mark, `after` begins with its closing one; so do the two of
    `sent`, which `None` stands for where the event is sent unchanged.
    """

    __slots__ = ("_after", "_before", "_end", "_least", "_sent", "_start")

    def __init__(self, before: bytes, after: bytes, sent: tuple[bytes, bytes] | None = None) -> None:
        self._before, self._after, self._sent = before, after, sent
        self._least = len(before) + len(after)
        self._start, self._end = len(before) - 1, 1 - len(after)
        """Where the string stands in an event, its quotation marks included."""

    @classmethod
    def of_text(cls, raw: bytes) -> Self | None:
        """The shape of an event that passes unread and has text for the client; `None` where it has none.

        What follows the key is a value, whatever else the event is: in a string the key's quotation marks could not
        stand like this. Another string in its place is a value too, and ends no line.
        """
        parts = _around(_SPOKEN.search(raw))
        return cls(*parts) if parts and raw.endswith(b"\n") else None

    @classmethod
    def of_arguments(cls, raw: bytes, sent: bytes) -> Self | None:
        """The shape of an event that was read: it is a JSON value in which one object has a string as `arguments`.

        `sent` is what takes its place: the same bytes, or JSON in which the string stands again. `None` where the
        string can't be told from others.
        """
        parts = _around(_only_arguments(raw))
        if parts is None or not raw.endswith(b"\n"):
            return None
        if sent == raw:
            return cls(*parts)
        changed = _around(_only_arguments(sent))
        return cls(*parts, changed) if changed else None

    def text_in(self, event: bytes) -> str | None:
        """The string of an event of this shape; `None` for any other event."""
        if not event.startswith(self._before) or not event.endswith(self._after) or len(event) < self._least:
            return None
        try:
            # From one quotation mark to the other: orjson takes it only if it is a string, and loses nothing of it.
            text: str = orjson.loads(event[self._start : self._end])
        except orjson.JSONDecodeError:
            return None
        return text

    def sent_for(self, event: bytes, text: str) -> bytes:
        """What is sent for an event of this shape that has `text`."""
        if self._sent is None:
            return event
        before, after = self._sent
        return before + orjson.dumps(text)[1:-1] + after


def _around(found: re.Match[bytes] | None) -> tuple[bytes, bytes] | None:
    """What stands before and after the string that was found, with a quotation mark each."""
    if found is None:
        return None
    start, end = found.span(1)
    return found.string[: start + 1], found.string[end - 1 :]


def _only_arguments(event: bytes) -> re.Match[bytes] | None:
    # A key may be spelt with escapes, and the key of something else may be spelt like it.
    if event.count(_ARGUMENTS_KEY) != 1 or b"\\u00" in event:
        return None
    return _ARGUMENTS.search(event)
