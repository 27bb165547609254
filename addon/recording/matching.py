"""Which recorded answer a request gets: exactly the same first, then the same whatever the day. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from .file import Call
from .parts import Parts


class Matching:
    """The calls of a recording, each of which answers once: the n-th of the same gets the n-th answer."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self._exact: dict[bytes, deque[int]] = {}
        self._alike: dict[bytes, deque[int]] = {}
        self._recorded: dict[bytes, int] = {}
        """What is asked, whatever the day -> how often that was recorded."""
        self._is_used = [False] * len(calls)
        for number, call in enumerate(calls):
            alike = call.parts.alike()
            self._exact.setdefault(call.parts.exact(), deque()).append(number)
            self._alike.setdefault(alike, deque()).append(number)
            self._recorded[alike] = self._recorded.get(alike, 0) + 1

    def take(self, parts: Parts) -> Call | None:
        """The next call that asks what `parts` ask. It isn't given again."""
        for waiting in (self._exact.get(parts.exact()), self._alike.get(parts.alike())):
            while waiting:
                number = waiting.popleft()
                if not self._is_used[number]:
                    self._is_used[number] = True
                    return self.calls[number]
        return None

    def recorded(self, parts: Parts) -> int:
        """How often what `parts` ask was recorded."""
        return self._recorded.get(parts.alike(), 0)

    def is_used(self, number: int) -> bool:
        """Whether the call has answered."""
        return self._is_used[number]

    @property
    def left(self) -> int:
        """Calls that have not answered."""
        return self._is_used.count(False)
