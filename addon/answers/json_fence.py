"""The fence (three backticks) that models put around JSON although they were asked for JSON alone."""

from __future__ import annotations

import re

from ..wire import rule_names

_OPENING = re.compile(r"```(?:json)?[ \t]*\r?\n", re.IGNORECASE)
_OPENING_START = re.compile(r"`{0,2}|```(?:j|js|jso|json)?|```(?:json)?[ \t]*\r?", re.IGNORECASE)
_FENCE_LINE = re.compile(r"\n[ \t]*```")
_CLOSING = re.compile(r"\r?\n[ \t]*```\s*")
_CLOSING_START = re.compile(r"(?:\r|\r?\n[ \t]*(?:`{0,2}|```\s*))\Z")

MAX_HELD = 1024
"""Characters of what may be a fence. More of it is white space without an end, as models write it in JSON mode."""


def take_off(text: str) -> str:
    """The inside of a text that is exactly one fenced block (without a language, or `json`); else `text` itself."""
    start = len(text) - len(text.lstrip())
    opening = _OPENING.match(text, start)
    if not opening:
        return text
    inside = text[opening.end() :]
    closing = _FENCE_LINE.search(inside)
    if not closing:
        return text
    end = closing.start() - inside.endswith("\r", 0, closing.start())
    if not _CLOSING.fullmatch(inside, end):
        return text
    return text[:start] + inside[:end]


class JsonFence:
    """`take_off` for text that comes in pieces.

    The opening line is gone as soon as it is complete: waiting for the close would hold back the whole answer.
    So where it turns out later that the fence isn't the whole text, only the opening line is missing, and
    everything from the close on comes unchanged.
    """

    rule = rule_names.JSON_FENCE
    why = "the fence around the JSON that was asked for is taken off"

    def __init__(self) -> None:
        self._step = self._before
        self.held = ""
        self.changed = False

    def feed(self, text: str) -> str:
        """Take in the next piece, give out what can't be part of a fence any more."""
        text, self.held = self.held + text, ""
        out = self._step(text)
        if len(self.held) > MAX_HELD:
            out, self.held = out + self.held, ""
            self._step = self._after
        return out

    def end(self, finish_reason: str | None) -> str:
        """Give out the rest of the text, without the closing fence. The finish reason doesn't matter here."""
        del finish_reason
        closed = self._step == self._inside and _CLOSING.fullmatch(self.held)
        text, self.held = "" if closed else self.held, ""
        self._step = self._after
        return text

    def _before(self, text: str) -> str:
        """Nothing but white space came so far, and perhaps a part of the opening line, which is held."""
        start = len(text) - len(text.lstrip())
        opening = _OPENING.match(text, start)
        if opening:
            self.changed = True
            self._step = self._inside
            return text[:start] + self._inside(text[opening.end() :])
        if _OPENING_START.fullmatch(text, start):
            self.held = text[start:]
            return text[:start]
        self._step = self._after
        return text

    def _inside(self, text: str) -> str:
        """The block is open; what may be its closing line is held."""
        closing = _CLOSING_START.search(text)
        end = closing.start() if closing else len(text)
        if _FENCE_LINE.search(text, 0, end):
            self._step = self._after
            return text
        self.held = text[end:]
        return text[:end]

    @staticmethod
    def _after(text: str) -> str:
        """There is no fence, or no longer one."""
        return text
