"""The plug-ins of one runtime: what they raise, and what they add to sinks and checks."""

from __future__ import annotations

from ..observe.health import Health
from ..observe.sinks import Sinks
from .failures import Failures
from .health import PluginsCheck, checks
from .made import Plugins
from .sinks import sinks


class PluggedIn:
    """What is plugged into `sinks`, and into the health of the proxy."""

    def __init__(self, sinks: Sinks) -> None:
        self.failures = Failures()
        self.check = PluginsCheck(lambda: self._made, self.failures)
        self._made = Plugins()
        self._sinks = sinks

    def use(self, made: Plugins, health: Health) -> None:
        """Let the sinks of `made` hear events, and its checks be looked at, in the place of those before."""
        if made == self._made:
            return
        for sink in sinks(self._made, self.failures):
            self._sinks.remove(sink.name)
        for sink in sinks(made, self.failures):
            self._sinks.add(sink, apart=True)
        health.add(checks(made, self.failures))
        for broken in made.broken:
            self.failures.failed(broken.name, "load", broken.source, broken.error)
        self._made = made
