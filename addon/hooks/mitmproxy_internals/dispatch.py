"""mitmproxy's event dispatch with its fixed cost removed: the same functions, in the same order, with the same values.

mitmproxy puts sixteen events a request to some 40 add-ons. For each add-on and event it makes a context manager, a
coroutine and two generators before it knows whether there is anything to call, which is 40 % of what a small request
costs. Here `hook_table` says for each event which functions there are, as long as the chain of add-ons stays as it is.
Where it doesn't, the add-ons are asked one after the other, as mitmproxy does.

The table is dropped by `AddonManager.add`, `register`, `remove` and `clear`, and by the events `configure` and
`running`, in which add-ons set themselves up. What they change is noticed at once, also during an event, and so is a
chain that has become longer or shorter. Two things differ from mitmproxy's dispatch:

- Where a script sets or deletes a hook on an add-on in the chain, or on its class, without any of those calls and
  events, it is noticed at the next of them. The same holds for `addons` on an add-on that had none.
- Another `addons`, a change within such a list, and add-ons exchanged within the chain, all without any of those calls,
  are noticed at the next event. The event under way, and the `update` after it, go to the add-ons that were there when
  it began.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import cache
from operator import attrgetter
from types import CoroutineType, ModuleType, TracebackType
from typing import Any

from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, cut_traceback, logger
from mitmproxy.flow import Flow

from . import hook_table
from .hook_table import ABSENT, HookTable

_SETTING_UP = frozenset(["configure", "running"])
"""Events in which add-ons set themselves up. They are rare: their functions are looked up live."""

_register: Callable[..., Any] = AddonManager.register


async def trigger_event(self: AddonManager, event: hooks.Hook) -> None:
    """In place of `AddonManager.trigger_event`: call what all add-ons have for `event`, and await what is awaitable."""
    if event.name in _SETTING_UP:
        try:
            await _ask_all(self.chain, event)
        finally:
            hook_table.drop(self)
    elif (table := hook_table.of(self)) is None:
        await _ask_all(self.chain, event)
    elif table.entries(event.name):
        await _call_by(table, self, event)


def trigger(self: AddonManager, event: hooks.Hook) -> None:
    """In place of `AddonManager.trigger`: as `trigger_event`, but a coroutine function is an error."""
    name = event.name
    try:
        for addon in self.chain:
            try:
                for inner, function in _found((addon,), name):
                    _call_sync(function, inner, event)
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception as error:
                _log(error, "invoke_addon")
    finally:
        if name in _SETTING_UP:
            hook_table.drop(self)


async def handle_lifecycle(self: AddonManager, event: hooks.Hook) -> None:
    """In place of `AddonManager.handle_lifecycle`: `event`, and after it `update` where it is about a flow."""
    message = event.args()[0]
    # Another script's `trigger_event` sees each event, those without a function too.
    replaced = getattr(self.trigger_event, "__func__", None) is not trigger_event
    table = None if replaced or event.name in _SETTING_UP else hook_table.of(self)
    if table is None:
        await self.trigger_event(event)
    elif table.entries(event.name):
        await _call_by(table, self, event)
    if isinstance(message, Flow):
        if table is None or not table.is_in_use(self):
            await self.trigger_event(hooks.UpdateHook([message]))
        elif table.entries(hooks.UpdateHook.name):
            await _call_by(table, self, hooks.UpdateHook([message]))


def register(self: AddonManager, addon: Any) -> Any:
    """In place of `AddonManager.register`, and with it of `add`: as mitmproxy's, and drop the table."""
    try:
        return _register(self, addon)
    finally:
        hook_table.drop(self)


async def _call_by(table: HookTable, manager: AddonManager, event: hooks.Hook) -> None:
    """Call what `table` has for `event`. From the first change that is noticed on, ask the add-ons that are left."""
    name, values = event.name, event.args()
    in_use = True
    for position, calls in table.entries(name):
        # An error ends the add-on and those within it; the next in the chain still sees the event.
        try:
            if calls is None:
                await _call_all(_found((table.chain[position],), name), event)
                in_use = table.is_in_use(manager)
            else:
                for function, addon, place in calls:
                    result = function(*values)
                    # Nearly all that can be awaited are coroutines, and `isawaitable` asks in turn what else it may be.
                    if result is not None and (type(result) is CoroutineType or inspect.isawaitable(result)):
                        await result
                    in_use = table.is_in_use(manager)
                    if not in_use:
                        await _call_all(_found_after(addon, place, name), event)
                        break
        except exceptions.AddonHalt:
            return
        except exceptions.OptionsError:
            raise
        except Exception as error:
            _log(error, "invoke_addon_sync", "invoke_addon")
            in_use = table.is_in_use(manager)
        if not in_use:
            await _ask_all(_from(table.chain, position + 1), event)
            return


async def _ask_all(chain: Iterable[object], event: hooks.Hook) -> None:
    """Ask each add-on of `chain` for its function when its turn comes, and call it."""
    for addon in chain:
        try:
            await _call_all(_found((addon,), event.name), event)
        except exceptions.AddonHalt:
            return
        except exceptions.OptionsError:
            raise
        except Exception as error:
            _log(error, "invoke_addon_sync", "invoke_addon")


async def _call_all(found: Iterable[tuple[object, Callable[..., Any]]], event: hooks.Hook) -> None:
    for _, function in found:
        result = function(*event.args())
        if result is not None and inspect.isawaitable(result):
            await result


def args(self: hooks.Hook) -> list[Any]:
    """In place of `Hook.args`: the values of the event's fields."""
    kind: Any = type(self)  # hashable, though mypy takes it for one of its instances
    return _reader(kind)(self)


@cache
def _reader(kind: Any) -> Callable[[hooks.Hook], list[Any]]:
    names = [field.name for field in fields(kind)]
    if not names:
        return lambda _: []
    read = attrgetter(*names)
    return (lambda event: [read(event)]) if len(names) == 1 else (lambda event: [*read(event)])


def _found(addons: Iterable[object], name: str) -> Iterator[tuple[object, Callable[..., Any]]]:
    """Add-on and function for each of `addons`, and of those within them, that has one for the event `name`."""
    for addon in addons:
        if (function := getattr(addon, name, None)) and _is_hook(function, addon, name):
            yield addon, function
        if (within := getattr(addon, "addons", ABSENT)) is not ABSENT:
            yield from _found(within, name)


def _found_after(addon: object, place: hook_table.Place, name: str) -> Iterator[tuple[object, Callable[..., Any]]]:
    """As `_found`, for those within `addon` and those after it, up to the end of its entry in the chain."""
    if (within := getattr(addon, "addons", ABSENT)) is not ABSENT:
        yield from _found(within, name)
    for addons, position in reversed(place):
        yield from _found(_from(addons, position + 1), name)


def _from(addons: list[object], position: int) -> Iterator[object]:
    """`addons` from `position` on. As with a list's own iterator, a change of the list is seen."""
    while position < len(addons):
        yield addons[position]
        position += 1


def _is_hook(function: object, addon: object, name: str) -> bool:
    """Whether the attribute `name` of `addon` is to be called. Raises `AddonManagerError` where it can't be."""
    if callable(function):
        return True
    if isinstance(function, ModuleType):  # `from mitmproxy import log` in a script
        return False
    raise exceptions.AddonManagerError(f"Addon handler {name} ({addon}) not callable")


def _call_sync(function: Callable[..., Any], addon: object, event: hooks.Hook) -> None:
    if inspect.iscoroutinefunction(function):
        raise exceptions.AddonManagerError(f"Async handler {event.name} ({addon}) cannot be called from sync context")
    function(*event.args())


def _log(error: Exception, *entries: str) -> None:
    """Log `error` as mitmproxy's `safecall` does: with the stack from the add-on's function on.

    After this file's own frames the stack is cut at the first of `entries`, then at the next, where it has them.
    """
    stack = _below_this_file(error.__traceback__)
    for entry in entries:
        cut = cut_traceback(stack, entry) if stack else stack
        if cut is stack:
            break
        stack = cut
    logger.error(f"Addon error: {error}", exc_info=(type(error), error, stack or error.__traceback__))


def _below_this_file(stack: TracebackType | None) -> TracebackType | None:
    while stack and stack.tb_frame.f_code.co_filename == _log.__code__.co_filename:
        stack = stack.tb_next
    return stack
