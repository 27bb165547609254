"""Stop texts: the legacy endpoint stops after the match and leaves it in the output (1729/111007); OpenAI does not."""

from __future__ import annotations

from collections.abc import Sequence

from addon.wire import rule_names


def cut(text: str, stops: Sequence[str]) -> str:
    """`text` without the longest of `stops` that it ends with."""
    found = max((stop for stop in stops if stop and text.endswith(stop)), key=len, default="")
    return text.removesuffix(found)


class StopText:
    """`cut` for text that comes in pieces.

    Holds back only the longest end of the text that a stop text may start with (or be).
    """

    rule = rule_names.STOP
    why = "the stop text, which this endpoint includes, is cut off"

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._ended = False
        self.held = ""
        self.changed = False

    def feed(self, text: str) -> str:
        """Take in the next piece, give out what can't be part of a stop text any more."""
        if self._ended:
            return text
        text = self.held + text
        kept = self._overlap(text)
        self.held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def end(self, finish_reason: str | None) -> str:
        """Give out the rest of the text, without the stop text if that is why the model stopped."""
        text = cut(self.held, self._stops) if finish_reason == "stop" else self.held
        self.changed = self.changed or text != self.held
        self.held = ""
        self._ended = True
        return text

    def _overlap(self, text: str) -> int:
        longest = 0
        for stop in self._stops:
            for length in range(min(len(stop), len(text)), longest, -1):
                if text.endswith(stop[:length]):
                    longest = length
                    break
        return longest
