"""The check `plugins`: whether all plug-ins are loaded and work. And theirs, whose failures are counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from ..observe.health import Check, Finding, degraded, healthy
from ..observe.health.lately import Growth
from ..observe.health.process import LATELY
from ..texts.sentence import Sentence
from .failures import Failures
from .made import Plugins


class PluginsCheck:
    """All plug-ins. `plugins`: as the options have them now."""

    def __init__(self, plugins: Callable[[], Plugins], failures: Failures) -> None:
        self._plugins = plugins
        self._failures = failures
        self._grown: dict[str, Growth] = {}

    async def look(self) -> Finding:
        """By those that could not be loaded, then by failures of the last minutes."""
        made = self._plugins()
        failing = self._failing(made)
        if made.broken:
            return degraded(
                Sentence(
                    "Not loaded, since their code raises: {names}. The proxy runs without them. The log says where; "
                    "mend them and start the proxy again.",
                    names=", ".join(f"{one.name} ({one.why})" for one in made.broken),
                )
            )
        if failing:
            return degraded(
                Sentence(
                    "Failed in the last minutes: {names}. Exchanges went on without what these would have done. The "
                    "log says where.",
                    names=", ".join(failing),
                )
            )
        if not made.loaded:
            return healthy(Sentence("No plug-in is loaded (hunyuan_plugins)."))
        return healthy(Sentence("Loaded, without a failure in the last minutes: {names}.", names=", ".join(made.names)))

    def _failing(self, made: Plugins) -> list[str]:
        counts = dict(self._failures.counts)
        failing = []
        for name in made.names:
            if name not in self._grown:
                self._grown[name] = Growth(LATELY)
                self._grown[name].of(0)
            if self._grown[name].of(sum(count for (plugin, _), count in counts.items() if plugin == name)):
                failing.append(name)
        return failing


def checks(made: Plugins, failures: Failures) -> Iterator[Check]:
    """The plug-ins' own checks, by `PLUGIN.NAME`. What one raises is counted, and said by `Health`."""
    for one in made.loaded:
        for check in one.plugin.checks:
            yield Check(f"{one.plugin.name}.{check.name}", _counted(one.plugin.name, check, failures))


def _counted(plugin: str, check: Check, failures: Failures) -> Callable[[], Awaitable[Finding]]:
    async def look() -> Finding:
        try:
            found = await check.look()
            if not isinstance(found, Finding):
                raise TypeError(type(found).__name__)
        except (Exception, SystemExit) as error:
            failures.failed(plugin, "check", check.name, error)
            return degraded(Sentence("The check failed itself ({kind}); the log has more.", kind=type(error).__name__))
        return found

    return look
