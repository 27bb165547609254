"""The plug-ins of one value of the option, and what they add together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from .. import rules
from ..did_you_mean import suggestion
from ..exchange import JsonObject
from ..observe.alerts import alert
from ..observe.alerts.alert import Alert
from ..rules import added
from ..rules.base import Added
from ..rules.explained import Explanation
from ..texts.terminal import say
from .interface import Plugin, Step


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plug-in, and where it is from."""

    plugin: Plugin
    source: str

    def parts(self) -> Iterator[tuple[str, list[str]]]:
        """What it adds: the kind, and the names."""
        plugin = self.plugin
        yield "steps", [step.name for step in plugin.steps]
        yield "rules", [rule.name for rule in plugin.rules]
        yield "sinks", [f"{plugin.name}.{sink.name}" for sink in plugin.sinks]
        yield "checks", [f"{plugin.name}.{check.name}" for check in plugin.checks]
        yield "alerts", [*plugin.alerts]
        yield "profiles", sorted(file.stem for file in plugin.profiles.glob("*.toml")) if plugin.profiles else []

    def line(self) -> str:
        """What it adds, in one line: `steps: a, b; rules: c`."""
        return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in self.parts() if names)


@dataclass(frozen=True, slots=True)
class Broken:
    """A plug-in whose module has raised. `name`: as the option has it; `why`: a type and a place."""

    name: str
    source: str
    why: str
    error: BaseException


@dataclass(frozen=True)
class Plugins:
    """All plug-ins of one value of the option, `text`."""

    text: str = ""
    loaded: tuple[Loaded, ...] = ()
    broken: tuple[Broken, ...] = ()

    @cached_property
    def steps(self) -> list[tuple[Plugin, Step]]:
        """The steps of all, in order."""
        return [(one.plugin, step) for one in self.loaded for step in one.plugin.steps]

    @cached_property
    def rules(self) -> Added | None:
        """The rules of all among the shipped ones; `None`: there are none."""
        own = [rule for one in self.loaded for rule in one.plugin.rules]
        if not own:
            return None
        return Added(added.in_place(rules.CHAT_RULES, own), frozenset(rule.name for rule in own))

    @cached_property
    def alerts(self) -> Mapping[str, Alert]:
        """The alerts of all, by name."""
        return MappingProxyType(
            {name: alert.read(name, row) for one in self.loaded for name, row in one.plugin.alerts.items()}
        )

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of profiles of all."""
        return tuple(one.plugin.profiles for one in self.loaded if one.plugin.profiles is not None)

    @property
    def names(self) -> list[str]:
        """The names of those that are loaded."""
        return [one.plugin.name for one in self.loaded]

    def owner_of(self, rule: str) -> str:
        """The name of the plug-in that has the rule; `""` for a rule of none."""
        owners = (one.plugin.name for one in self.loaded if rule in {own.name for own in one.plugin.rules})
        return next(owners, "")

    def status(self) -> list[JsonObject]:
        """For the admin server and `hunyuan-fix config`: what each adds, or why it could not be loaded."""
        loaded = [
            {"name": one.plugin.name, "source": one.source, "loaded": True, "why": "", **dict(one.parts())}
            for one in self.loaded
        ]
        return [
            *loaded,
            *({"name": one.name, "source": one.source, "loaded": False, "why": one.why} for one in self.broken),
        ]

    def lines(self) -> list[str]:
        """The same for a person, a line each."""
        return [
            *(
                say(
                    "Plug-in {name} ({place}): {parts}", name=one.plugin.name, place=one.source, parts=one.line() or "–"
                )
                for one in self.loaded
            ),
            *(
                say(
                    "Plug-in {name} ({place}) is not loaded: its code raises {why}",
                    name=one.name,
                    place=one.source,
                    why=one.why,
                )
                for one in self.broken
            ),
        ]

    def unknown_metric(self, known: Collection[str]) -> str:
        """What is wrong with an alert that looks at a metric which is not among `known`; `""`: nothing."""
        for name, one in self.alerts.items():
            for selection in (*one.condition.counters, *one.condition.gauges):
                metric = selection.metric.removesuffix("_bucket")
                if metric not in known:
                    unknown = say("the alert {name}: there is no metric {metric}", name=name, metric=metric)
                    return unknown + suggestion(metric, known)
        return ""

    def explanations(self) -> dict[str, Explanation]:
        """Each plug-in, and each name that its changes can have -> what it is for."""
        found: dict[str, Explanation] = {}
        for one in self.loaded:
            plugin, source = one.plugin, say("Loaded from {place}.", place=one.source)
            for step in plugin.steps:
                about = step.about or say("A step of the plug-in {name}.", name=plugin.name)
                found.setdefault(step.name, Explanation(about, source))
            for rule in plugin.rules:
                found.setdefault(rule.name, Explanation(rule.repairs, rule.why))
            # A part may be called as its plug-in is.
            same = found.get(plugin.name)
            about = same.repairs if same else plugin.about or say("A plug-in.")
            why = f"{same.why} " if same and same.why != source else ""
            found[plugin.name] = Explanation(about, f"{why}{source} {one.line()}".strip())
        return found
