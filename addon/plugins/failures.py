"""What plug-ins raise: counted by plug-in and part, and logged by type and place. Never by its text."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, Literal

from ..observe.metrics import Reading, counter
from ..observe.repeated import Repeated
from ..texts.terminal import say
from ..wire import safe_text

logger = logging.getLogger("hunyuan_fix")

type Part = Literal["load", "request", "answer", "chunk", "done", "rule", "sink", "check"]

FAILURES = counter(
    "hunyuan_plugin_failures_total", "Failures of plug-ins, by plug-in and by what failed.", "plugin", "part"
)
_EVERY: Final = 60.0
"""Seconds in which one part of one plug-in is logged once: it may fail at each chunk of each stream."""


class Failures:
    """Failures since the start. One for each runtime, for all threads. `clock`: monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[tuple[str, Part]] = Counter()
        self._lock = threading.Lock()
        self._clock = clock
        self._logged = Repeated(_EVERY)

    def failed(self, plugin: str, part: Part, name: str, error: BaseException) -> None:
        """Count that the `part` called `name` of `plugin` has failed. What it did is undone by the caller."""
        with self._lock:
            self.counts[plugin, part] += 1
            kept_back = self._logged.ask((plugin, part, name), self._clock())
        if kept_back is None:
            return
        said = say(
            "Plug-in {plugin}: {part} of {name} failed, and only its own effect is lost (failures not logged since the "
            "last such line: {count}):",
            plugin=plugin,
            part=part,
            name=name,
            count=kept_back,
        )
        # A warning: of an error that is logged at the start mitmdump ends.
        logger.warning("%s\n%s", said, safe_text.traceback_without_text(error))

    def readings(self) -> Iterator[Reading]:
        """For `Metrics`."""
        with self._lock:
            counts = dict(self.counts)
        for labels, count in counts.items():
            yield FAILURES, labels, count
