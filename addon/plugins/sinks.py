"""The sinks of plug-ins: each in a thread of its own, with events that are its own, too."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from ..events import Event
from ..observe.sinks import Sink
from .failures import Failures
from .made import Plugins


class PluginSink:
    """A sink that may do what it likes with an event, and raises nothing."""

    def __init__(self, plugin: str, sink: Sink, failures: Failures) -> None:
        self.name = f"{plugin}.{sink.name}"
        self.kinds = tuple(sink.kinds)
        self._plugin = plugin
        self._sink = sink
        self._failures = failures

    def hear(self, event: Event) -> None:
        """Let the sink take in a copy of `event`: others share its data, and some is the exchange's own."""
        try:
            self._sink.hear(Event(event.kind, event.id, event.at, copy.deepcopy(event.data)))
        except (Exception, SystemExit) as error:
            self._failures.failed(self._plugin, "sink", self._sink.name, error)


def sinks(made: Plugins, failures: Failures) -> Iterator[PluginSink]:
    """The sinks of all plug-ins, by `PLUGIN.NAME`."""
    for one in made.loaded:
        for sink in one.plugin.sinks:
            yield PluginSink(one.plugin.name, sink, failures)
