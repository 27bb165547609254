"""Whether the plug-ins that were loaded can be used together: types, names, places."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import rules
from ..did_you_mean import suggestion
from ..events import KINDS
from ..observe.alerts import alert
from ..observe.health import Check
from ..rules import explained
from ..rules.base import Rule
from ..texts.terminal import say
from .interface import MOST_PATIENCE, Plugin, Step
from .made import Plugins

HOUSES = ("chat", "native", "embeddings", "count")
"""Which requests a step may see."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def check(made: Plugins) -> None:
    """Raise `ValueError` where a part can't be used, or two have one name."""
    names: dict[str, str] = {}
    # What a plug-in, a step and a rule are called by: `hunyuan.explain` finds them by that.
    taken = dict.fromkeys(explained.explanations(), say("the proxy itself"))
    alerts = dict.fromkeys(alert.shipped(), say("the proxy itself"))
    for one in made.loaded:
        plugin = one.plugin
        _named(plugin.name, one.source)
        if plugin.name in names:
            raise ValueError(
                say(
                    "two plug-ins are called {name}: {one} and {other}",
                    name=plugin.name,
                    one=names[plugin.name],
                    other=one.source,
                )
            )
        names[plugin.name] = one.source
        _check_types(plugin)
        for name in [*(step.name for step in plugin.steps), *(rule.name for rule in plugin.rules)]:
            _own(name, taken, plugin)
        for name in plugin.alerts:
            _own(name, alerts, plugin)
        for parts in (plugin.sinks, plugin.checks):
            within: dict[str, str] = {}
            for part in parts:
                _own(part.name, within, plugin)
    try:
        _ = made.rules
    except ValueError as error:
        known = [rule.name for rule in rules.CHAT_RULES]
        unknown = say("a rule has in its after {name}, which no rule before it is called", name=str(error))
        raise ValueError(unknown + suggestion(str(error), known)) from None
    _check_alerts(made)


def _named(name: object, owner: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            say(
                "{owner}: {name!r} is no name; accepted are lower-case letters, digits, - and _", owner=owner, name=name
            )
        )


def _own(name: str, taken: dict[str, str], plugin: Plugin) -> None:
    _named(name, plugin.name)
    if name in taken:
        raise ValueError(
            say(
                "{name} of the plug-in {owner}: this name is taken by {other}",
                name=name,
                owner=plugin.name,
                other=taken[name],
            )
        )
    taken[name] = plugin.name


def _check_types(plugin: Plugin) -> None:
    wanted: Sequence[tuple[str, Callable[[Any], bool]]] = (
        ("steps", lambda part: isinstance(part, Step) and not _houses_unknown(part)),
        ("rules", lambda part: isinstance(part, Rule)),
        ("checks", lambda part: isinstance(part, Check)),
        ("sinks", _is_sink),
    )
    for kind, is_right in wanted:
        given = getattr(plugin, kind)
        if not isinstance(given, tuple) or not all(map(is_right, given)):
            raise ValueError(
                say(
                    "{kind} of the plug-in {owner}: accepted is a tuple of what docs/plugins.md says",
                    kind=kind,
                    owner=plugin.name,
                )
            )
    for step in plugin.steps:
        if not inspect.iscoroutinefunction(step.request):
            raise ValueError(
                say("the step {name} of {owner}: request is no async function", name=step.name, owner=plugin.name)
            )
    if not isinstance(plugin.alerts, Mapping) or not all(isinstance(row, Mapping) for row in plugin.alerts.values()):
        raise ValueError(
            say(
                "{kind} of the plug-in {owner}: accepted is a mapping of names to rows",
                kind="alerts",
                owner=plugin.name,
            )
        )
    if plugin.profiles is not None and not (isinstance(plugin.profiles, Path) and plugin.profiles.is_dir()):
        raise ValueError(
            say("profiles of the plug-in {owner}: accepted is the Path of a folder that exists", owner=plugin.name)
        )
    if not isinstance(plugin.patience, int | float) or not 0 < plugin.patience <= MOST_PATIENCE:
        raise ValueError(
            say(
                "patience of the plug-in {owner}: accepted are seconds, above 0 and up to {most:.0f}",
                owner=plugin.name,
                most=MOST_PATIENCE,
            )
        )


def _houses_unknown(step: Step) -> bool:
    return not step.houses or not set(step.houses) <= set(HOUSES) or isinstance(step.houses, str)


def _is_sink(part: Any) -> bool:
    kinds = getattr(part, "kinds", None)
    return (
        callable(getattr(part, "hear", None))
        and isinstance(kinds, Iterable)
        and not isinstance(kinds, str)
        and set(kinds) <= set(KINDS)
    )


def _check_alerts(made: Plugins) -> None:
    for one in made.loaded:
        for name, row in one.plugin.alerts.items():
            try:
                _ = alert.read(name, row).said("en", "1", 1.0)
            except KeyError as error:
                missing = say(
                    "the alert {name} of {owner} has no key {key}", name=name, owner=one.plugin.name, key=error.args[0]
                )
                raise ValueError(missing) from None
            except (ValueError, TypeError) as error:
                wrong = say("the alert {name} of {owner}: {why}", name=name, owner=one.plugin.name, why=str(error))
                raise ValueError(wrong) from None
