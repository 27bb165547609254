"""What a manager's add-ons have for each event, looked up once for as long as its chain of add-ons stays as it is.

Whether it has stayed so is checked in full before each event, by `of`. Between the calls of one event only what costs
nothing is checked, `is_in_use`.

In the table are plain functions and methods only. An add-on that computes the attribute anew each time (a property,
`__getattr__`), or has something else in it, must be asked at each event, with all of its entry in the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons.script import Script

ABSENT: Any = object()
"""In place of an attribute that isn't there; `None` could be its value."""

type Place = tuple[tuple[list[object], int], ...]
"""Where an add-on is within its entry of the chain: each list on the way to it, and the position there."""

_TABLE = "_hunyuan_fix_hook_table"
"""Attribute of a manager."""
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType)
"""Types whose instances are true and callable, always."""
_FIXED = (FunctionType, staticmethod, classmethod)
"""Types of class attributes that give the same on each look-up."""
_DEEPEST = 8
"""Levels of `addons` within `addons` in the table. Deeper ones may go in a circle."""


class Call(NamedTuple):
    """One function for an event."""

    function: Callable[..., Any]
    addon: object
    place: Place


type Entry = tuple[int, list[Call] | None]
"""A position in the chain, and what is to be called there; `None` where the add-on must be asked."""


class HookTable:
    """The functions of one manager's add-ons by event, in the order of the chain."""

    def __init__(self, manager: AddonManager) -> None:
        self.chain: list[object] = manager.chain
        self._content = [*self.chain]
        self._length = len(self._content)
        self._is_dropped = False
        self._attributes: list[tuple[object, str, object, list[object] | None]] = []
        """Add-on, attribute, its value, and a copy of that where it is a list: all that the order depends on."""
        self._addons = [self._within(addon, ()) for addon in self.chain]
        """By position in the chain; `None` where the add-on must be asked."""
        self._entries: dict[str, list[Entry]] = {}
        known = [*self._content, *(addon for _, _, _, content in self._attributes for addon in content or ())]
        # `==` takes an add-on that has its own idea of equality for another one.
        self._compares = all(type(addon).__eq__ is object.__eq__ for addon in known)

    def entries(self, name: str) -> list[Entry]:
        """Where there is something to call for the event `name`. Valid while the table holds."""
        entries = self._entries.get(name)
        if entries is None:
            entries = self._entries[name] = [*self._looked_up(name)]
        return entries

    def is_in_use(self, manager: AddonManager) -> bool:
        """Whether the table is the manager's and the chain is the same list, as long as it was: all that is checked
        after each call."""
        chain = self.chain
        return not self._is_dropped and manager.chain is chain and len(chain) == self._length

    def drop(self) -> None:
        """Let it not be in use any more, for an event that is under way too."""
        self._is_dropped = True

    def holds(self, manager: AddonManager) -> bool:
        """Whether the table is in use, and the chain and the lists of add-ons in it are as they were: once an event."""
        if not self.is_in_use(manager):
            return False
        if not (self.chain == self._content if self._compares else _are_same(self.chain, self._content)):
            return False
        for addon, attribute, value, content in self._attributes:
            if getattr(addon, attribute, ABSENT) is not value:
                return False
            if content is not None and not (value == content if self._compares else _are_same(value, content)):
                return False
        return True

    def _within(self, addon: object, place: Place) -> list[tuple[object, Place]] | None:
        """`addon` and all those within it; `None` where that can't be told for the next event too."""
        found = [(addon, place)]
        if type(addon) is Script:  # its `addons` is a property that makes a list of `ns`
            if not isinstance(addon.ns, ModuleType | None):
                return None
            within: Any = [addon.ns] if addon.ns else []
            self._attributes.append((addon, "ns", addon.ns, None))
        elif not _is_fixed(addon, "addons"):
            return None
        elif (within := getattr(addon, "addons", ABSENT)) is ABSENT:
            return found
        elif type(within) is not list or len(place) == _DEEPEST:
            return None
        else:
            self._attributes.append((addon, "addons", within, [*within]))
        for position, one in enumerate(within):
            inner = self._within(one, (*place, (within, position)))
            if inner is None:
                return None
            found += inner
        return found

    def _looked_up(self, name: str) -> list[Entry]:
        entries: list[Entry] = []
        for position, addons in enumerate(self._addons):
            calls: list[Call] | None = None
            if addons is not None:
                found = [Call(_function(addon, name), addon, place) for addon, place in addons]
                if all(call.function is not None for call in found):
                    calls = [call for call in found if call.function is not ABSENT]
            if calls != []:
                entries.append((position, calls))
        return entries


def of(manager: AddonManager) -> HookTable | None:
    """The table that holds for `manager`; made if there is none. `None` where its chain isn't a list."""
    table: HookTable | None = manager.__dict__.get(_TABLE)
    if table is None or not table.holds(manager):
        drop(manager)
        table = HookTable(manager) if type(manager.chain) is list else None
        manager.__dict__[_TABLE] = table
    return table


def drop(manager: AddonManager) -> None:
    """Forget the table of `manager`, if it has one."""
    table: HookTable | None = manager.__dict__.pop(_TABLE, None)
    if table is not None:
        table.drop()


def _function(addon: object, name: str) -> Any:
    """What `addon` has for the event `name`: a function, `ABSENT`, or `None` where it must be asked."""
    if not _is_fixed(addon, name):
        return None
    function = getattr(addon, name, ABSENT)
    return function if function is ABSENT or type(function) in _FUNCTIONS else None


def _is_fixed(addon: object, name: str) -> bool:
    """Whether looking `name` up runs no code of the add-on's, so that the result stays until it is set anew."""
    kind = type(addon)
    if hasattr(kind, "__getattr__"):
        return False
    if isinstance(addon, ModuleType):
        if kind is not ModuleType or "__getattr__" in vars(addon):
            return False
    elif kind.__getattribute__ is not object.__getattribute__:
        return False
    declared = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    return type(declared) in _FIXED or not hasattr(type(declared), "__get__")


def _are_same(one: Any, other: list[object]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))
