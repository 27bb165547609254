"""Events that differ from the last one in a single string: recognised by their bytes, without parsing.

Most events of a stream are such: the head, the choice and the keys are the last event's, and one string has the next
piece of the text or of a call's arguments. So one event is read, and those of its shape are sent like it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Self

import orjson

_COLON = rb"[ \t]*:[ \t]*"
"""JSON allows line ends around the colon too, but in an event they begin another line."""
_INSIDE = rb'(?:[^"\\\r\n]++|\\.)'
_TEXT = re.compile(rb'"(?:reasoning_)?content"%b("%b++")' % (_COLON, _INSIDE))
_ARGUMENTS_KEY = b'"arguments"'
_ARGUMENTS = re.compile(rb'%b%b("%b*+")' % (_ARGUMENTS_KEY, _COLON, _INSIDE))


class Shape:
    """The bytes of one event without one of its strings, and what is sent for an event that has the same.

    `before` ends with the string's opening quotation mark, `after` begins with its closing one. `sent` is such a pair,
    too: what is sent has it around the string. Without `sent` an event is sent unchanged. `take` is called with the
    string's text; where it returns false the event has to be read.
    """

    __slots__ = ("_after", "_before", "_end", "_sent", "_start", "_take")

    def __init__(
        self,
        before: bytes,
        after: bytes,
        sent: tuple[bytes, bytes] | None = None,
        take: Callable[[str], bool] | None = None,
    ) -> None:
        self._before, self._after, self._sent, self._take = before, after, sent, take
        self._start, self._end = len(before) - 1, 1 - len(after)
        """Where the string begins and ends in an event, its quotation marks included."""

    @classmethod
    def of_text(cls, raw: bytes, take: Callable[[str], bool] | None = None) -> Self | None:
        """The shape of an event that needs no repair and has text for the client; `None` if it has no text.

        The key is a key and the string its value wherever they stand: inside of a string, quotation marks are escaped.
        Any other string in this place is a value as well, and has no line end.
        """
        parts = _around(_TEXT.search(raw))
        return cls(*parts, take=take) if parts else None

    @classmethod
    def of_arguments(cls, raw: bytes, sent: bytes, take: Callable[[str], bool]) -> Self | None:
        """The shape of an event that was read and has a string under `arguments`, once in all its JSON.

        `sent` is what was sent for it: the same bytes, or JSON with the same string. `None` if either may have another
        string under `arguments`.
        """
        parts = _around(_only_arguments(raw))
        if parts is None:
            return None
        if sent == raw:
            return cls(*parts, take=take)
        changed = _around(_only_arguments(sent))
        return cls(*parts, changed, take) if changed else None

    def sent_for(self, event: bytes) -> bytes | None:
        """What to send for an event of this shape; `None` for any other event, and where `take` says no."""
        if not event.startswith(self._before) or not event.endswith(self._after):
            return None
        try:
            # From one quotation mark to the other. If they are the same one, or others are between, it is no JSON.
            text: str = orjson.loads(event[self._start : self._end])
        except orjson.JSONDecodeError:
            return None
        if self._take is not None and not self._take(text):
            return None
        if self._sent is None:
            return event
        before, after = self._sent
        return before + orjson.dumps(text)[1:-1] + after


def _around(found: re.Match[bytes] | None) -> tuple[bytes, bytes] | None:
    """The bytes before and after the string that was found, with a quotation mark each; `None` for half an event."""
    if found is None or not found.string.endswith(b"\n"):
        return None
    start, end = found.span(1)
    return found.string[: start + 1], found.string[end - 1 :]


def _only_arguments(event: bytes) -> re.Match[bytes] | None:
    # A key may be spelt with escapes, and the key of something else may be spelt like it.
    if event.count(_ARGUMENTS_KEY) != 1 or b"\\u00" in event:
        return None
    return _ARGUMENTS.search(event)
