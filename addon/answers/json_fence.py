"""Takes off the fence (three backticks) that models put around JSON although the client asked for JSON alone."""

from __future__ import annotations

import re

from ..wire import rule_names

_OPENING = re.compile(r"```(?:json)?[ \t]*\r?\n", re.IGNORECASE)
_OPENING_START = re.compile(r"`{0,2}|```(?:j|js|jso|json)?|```(?:json)?[ \t]*\r?", re.IGNORECASE)
_FENCE_LINE = re.compile(r"\n[ \t]*```")
_CLOSING = re.compile(r"\r?\n[ \t]*```\s*")
_CLOSING_START = re.compile(r"(?:\r|\r?\n[ \t]*(?:`{0,2}|```\s*))\Z")

MAX_HELD = 1024
"""Characters that are held because they may be a fence. In JSON mode, models write white space without end."""


def take_off(text: str) -> str:
    """The lines inside the fence, if `text` is one fenced block, of no language or of `json`; else all of `text`."""
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
    """`take_off` for text in pieces.

    The opening line is left out as soon as it is complete: waiting for the closing line would hold back the whole
    answer. So if the block turns out not to be the whole text, its opening line is missing, and all text from the
    closing line on is returned unchanged.
    """

    rule = rule_names.JSON_FENCE
    why = "the fence around the JSON that was asked for is taken off"

    def __init__(self) -> None:
        self._step = self._before
        self.held = ""
        self.changed = False

    def feed(self, text: str) -> str:
        """Add the next piece, and return the text that can't be part of a fence any more."""
        text, self.held = self.held + text, ""
        out = self._step(text)
        if len(self.held) > MAX_HELD:
            out, self.held = out + self.held, ""
            self._step = self._after
        return out

    def end(self, finish_reason: str | None) -> str:
        """End the text, and return the rest of it, without the closing line. The finish reason changes nothing."""
        del finish_reason
        closed = self._step == self._inside and _CLOSING.fullmatch(self.held)
        text, self.held = "" if closed else self.held, ""
        self._step = self._after
        return text

    def _before(self, text: str) -> str:
        """The step while the text is white space and perhaps a part of the opening line, which is held."""
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
        """The step while the block is open. The end of the text is held if it may be the closing line."""
        closing = _CLOSING_START.search(text)
        end = closing.start() if closing else len(text)
        if _FENCE_LINE.search(text, 0, end):
            self._step = self._after
            return text
        self.held = text[end:]
        return text[:end]

    @staticmethod
    def _after(text: str) -> str:
        """The step once the text has no fence, or goes on after it."""
        return text
