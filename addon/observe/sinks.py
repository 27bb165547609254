"""Sinks: what hears the events that exchanges tell (`events`): counters, log, traces, alerts.

What happens to an exchange knows no sink: a sink is added in one place (`Runtime`), and hears the kinds that it names.

A sink that only works in memory, in microseconds, hears events where they are told, on the event loop. Any other is
added with `apart`: it hears them in a thread of its own, from a queue with `MOST_WAITING` places. What doesn't fit is
dropped and counted; what a sink raises is counted, and said once. Neither reaches an exchange.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Protocol, cast

from ..events import Event
from ..exchange import Exchange, JsonObject
from ..texts.terminal import say
from ..wire import safe_text

logger = logging.getLogger("hunyuan_fix")

MOST_WAITING = 10_000
"""Events that wait for one sink in a thread of its own."""
_GATHERED = 0.05
"""Seconds for which such a thread lets events gather: to wake it for each would cost the event loop more."""
_AGAIN = 1.0
"""Seconds after which a sink that could not write tries again."""


class Sink(Protocol):
    """What listens to events."""

    @property
    def name(self) -> str:
        """For counts and the log; a few letters."""

    @property
    def kinds(self) -> Iterable[str]:
        """The kinds that it hears."""

    def hear(self, event: Event) -> None:
        """Take in an event. Its data is shared with other sinks: it is only read."""


class Gathering(Sink, Protocol):
    """A sink in a thread of its own that takes in several events at once."""

    def flush(self) -> bool:
        """All that waited was heard: it is the time to write. `False`: that has to be tried again soon."""

    def close(self) -> None:
        """No more events come."""


class Sinks:
    """Brings events to sinks, in the order in which these were added. One for each runtime."""

    def __init__(self) -> None:
        self._sinks: dict[str, tuple[Sink, ...]] = {}
        """By kind, those that hear it."""
        self._apart: dict[str, _Apart] = {}
        self.failures: Counter[str] = Counter()
        """What sinks raised, by their names."""

    def add(self, sink: Sink, *, apart: bool = False) -> None:
        """Let `sink` hear its kinds from now on, in the place of one with the same name.

        `apart`: in a thread of its own, since it may wait for a disk or a network.
        """
        self.remove(sink.name)
        heard: Sink = sink
        if apart:
            heard = self._apart[sink.name] = _Apart(sink, self._failed)
        for kind in sink.kinds:
            self._sinks[kind] = (*self._sinks.get(kind, ()), heard)

    def remove(self, name: str) -> None:
        """Let the sink with this name hear nothing any more. One in a thread of its own gets what waits for it."""
        self._sinks = {
            kind: kept for kind, sinks in self._sinks.items() if (kept := tuple(s for s in sinks if s.name != name))
        }
        if leaving := self._apart.pop(name, None):
            leaving.end()

    def tell(self, exchange: Exchange, kind: str, data: JsonObject) -> None:
        """Bring an event to those that hear its kind. Raises nothing. `exchange.tell` is the way here."""
        sinks = self._sinks.get(kind)
        if not sinks:
            return
        event = Event(kind, exchange.id, time.time(), data)
        for sink in sinks:
            try:
                sink.hear(event)
            except Exception as error:
                self._failed(sink, error)

    @property
    def dropped(self) -> dict[str, int]:
        """How many events did not fit, by the sink's name."""
        return {name: sink.dropped for name, sink in self._apart.items()}

    def close(self, patience: float = 2.0) -> None:
        """Let the sinks in threads of their own take in what waits for them, for `patience` seconds in all."""
        until = time.monotonic() + patience
        ending = list(self._apart.values())
        for name in list(self._apart):
            self.remove(name)
        for sink in ending:
            sink.join(until - time.monotonic())

    def _failed(self, sink: Sink, error: Exception) -> None:
        self.failures[sink.name] += 1
        if self.failures[sink.name] == 1:  # once: it may fail at each event
            said = say("{sink} could not take in an event; further failures are only counted:", sink=sink.name)
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))


class _Apart:
    """A sink in a thread of its own, which runs while there is something to hear."""

    def __init__(self, sink: Sink, failed: Callable[[Sink, Exception], None]) -> None:
        self.name, self.kinds = sink.name, sink.kinds
        self.dropped = 0
        self._sink = sink
        self._gathering = cast("Gathering", sink) if hasattr(sink, "flush") else None
        self._failed = failed
        self._waiting: deque[Event] = deque()
        self._come = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None

    def hear(self, event: Event) -> None:
        """Put `event` in the queue, if there is a place."""
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append(event)
        if self._thread is None:
            # A daemon: a sink that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name=f"hunyuan-fix {self.name}", daemon=True)
            self._thread.start()
        if not self._come.is_set():
            self._come.set()

    def end(self) -> None:
        """Let the thread end once the queue is empty."""
        self._ended = True
        self._come.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end. What is left of the queue by then is counted as dropped."""
        if self._thread is not None:
            self._thread.join(max(0.0, seconds))
        self.dropped += len(self._waiting)

    def _run(self) -> None:
        is_settled = True
        while True:
            self._come.wait(None if is_settled else _AGAIN)
            self._come.clear()
            while self._waiting:
                event = self._waiting.popleft()
                try:
                    self._sink.hear(event)
                except Exception as error:
                    self._failed(self._sink, error)
            if self._ended:
                self._close()
                return
            is_settled = self._flush()
            time.sleep(_GATHERED)

    def _flush(self) -> bool:
        try:
            return self._gathering is None or self._gathering.flush()
        except Exception as error:
            self._failed(self._sink, error)
            return True

    def _close(self) -> None:
        try:
            if self._gathering is not None:
                self._gathering.close()
        except Exception as error:
            self._failed(self._sink, error)
