"""mitmproxy's event dispatch with its fixed cost removed: the same functions, in the same order, with the same values.

mitmproxy puts eight events a request to some 35 add-ons. For each add-on and event it makes a context manager, a
coroutine and two generators before it knows whether there is anything to call, which is 40 % of what a small request
costs. Here the add-on is asked first.

There is no table of event -> functions: mitmproxy looks each function up when its turn comes, and an add-on may set
`self.request`, change its `addons` or leave the chain at any moment, also during the event. No such table can see all
of that, and looking everything up costs 2 to 3 µs an event.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import cache
from types import ModuleType, TracebackType
from typing import Any

from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, cut_traceback, logger
from mitmproxy.flow import Flow

_NONE: Any = object()
"""In place of an attribute `addons` that isn't there; `None` could be its value."""


async def trigger_event(self: AddonManager, event: hooks.Hook) -> None:
    """In place of `AddonManager.trigger_event`: call what all add-ons have for `event`, and await what is awaitable."""
    name = event.name
    for addon in self.chain:
        # An error ends the add-on and those within it; the next in the chain still sees the event.
        try:
            if (function := getattr(addon, name, None)) and _is_hook(function, addon, name):
                result = function(*event.args())
                if result is not None and inspect.isawaitable(result):
                    await result
            if (within := getattr(addon, "addons", _NONE)) is not _NONE:
                for _, function in _found(within, name):
                    result = function(*event.args())
                    if result is not None and inspect.isawaitable(result):
                        await result
        except exceptions.AddonHalt:
            return
        except exceptions.OptionsError:
            raise
        except Exception as error:
            _log(error, "invoke_addon_sync", "invoke_addon")


def trigger(self: AddonManager, event: hooks.Hook) -> None:
    """In place of `AddonManager.trigger`: as `trigger_event`, but a coroutine function is an error."""
    name = event.name
    for addon in self.chain:
        try:
            if (function := getattr(addon, name, None)) and _is_hook(function, addon, name):
                _call_sync(function, addon, event)
            if (within := getattr(addon, "addons", _NONE)) is not _NONE:
                for inner, function in _found(within, name):
                    _call_sync(function, inner, event)
        except exceptions.AddonHalt:
            return
        except exceptions.OptionsError:
            raise
        except Exception as error:
            _log(error, "invoke_addon")


async def handle_lifecycle(self: AddonManager, event: hooks.Hook) -> None:
    """In place of `AddonManager.handle_lifecycle`: `event`, and after it `update` where it is about a flow."""
    message = event.args()[0]
    await self.trigger_event(event)
    if isinstance(message, Flow):
        await self.trigger_event(hooks.UpdateHook([message]))


def args(self: hooks.Hook) -> list[Any]:
    """In place of `Hook.args`: the values of the event's fields."""
    kind: Any = type(self)  # hashable, though mypy takes it for one of its instances
    return [getattr(self, name) for name in _field_names(kind)]


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _found(addons: Iterable[object], name: str) -> Iterator[tuple[object, Callable[..., Any]]]:
    """Add-on and function for each of `addons`, and of those within them, that has one for the event `name`."""
    for addon in addons:
        if (function := getattr(addon, name, None)) and _is_hook(function, addon, name):
            yield addon, function
        if (within := getattr(addon, "addons", _NONE)) is not _NONE:
            yield from _found(within, name)


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
