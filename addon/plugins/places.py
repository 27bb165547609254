"""Where the steps of plug-ins stand among the proxy's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..did_you_mean import suggestion
from ..texts.terminal import say
from .interface import Plugin, Step
from .made import Plugins

DEFAULT: Mapping[str, tuple[str, int]] = {
    "chat": ("rules", 0),
    "native": ("native", -1),
    "embeddings": ("embeddings", 0),
    "count": ("count-tokens", 0),
}
"""House -> the step before which one stands that names no place there, and which of those with its name: that by which
the body becomes what the endpoint takes."""


def placed[T](
    house: str, shipped: Sequence[tuple[str, T]], made: Plugins, wrap: Callable[[Plugin, Step], T]
) -> list[T]:
    """The steps of a house, `shipped` with their names, and those of plug-ins in their places."""
    steps = list(shipped)
    behind: dict[str, int] = {}
    """How many stand behind a step by now: the next one stands behind these, in the order in which they are given."""
    for plugin, step in made.steps:
        if house not in step.houses:
            continue
        names = [name for name, _ in steps]
        if step.after in names:
            at = _last(names, step.after) + 1 + behind.get(step.after, 0)
            behind[step.after] = behind.get(step.after, 0) + 1
        elif step.before in names:
            at = _last(names, step.before)
        else:
            name, which = DEFAULT[house]
            at = [at for at, other in enumerate(names) if other == name][which]
        steps.insert(at, (step.name, wrap(plugin, step)))
    return [one for _, one in steps]


def _last(names: Sequence[str], name: str) -> int:
    """Where the step `name` stands: of two with one name the last counts, which has the body as it leaves."""
    return len(names) - 1 - names[::-1].index(name)


def problem(houses: Mapping[str, Sequence[str]], made: Plugins) -> str:
    """What is wrong with the names of the plug-ins' steps, and of those beside which they want to stand; `""`: nothing.

    `houses`: the names of the proxy's own steps, by house.
    """
    shipped = {name for names in houses.values() for name in names}
    for _, step in made.steps:
        if step.name in shipped:
            return say("the step {name}: this name is taken by {other}", name=step.name, other=say("the proxy itself"))
    for plugin, step in made.steps:
        if step.before and step.after:
            return say("the step {name} of {owner} has both before and after", name=step.name, owner=plugin.name)
        beside = step.before or step.after
        known = [name for house in step.houses for name in houses[house]]
        known += [other.name for _, other in made.steps if other is not step]
        if beside and beside not in known:
            unknown = say(
                "the step {name} of {owner}: there is no step {beside}",
                name=step.name,
                owner=plugin.name,
                beside=beside,
            )
            return unknown + (
                suggestion(beside, known) or say("; there are {names}", names=", ".join(dict.fromkeys(known)))
            )
    return ""
