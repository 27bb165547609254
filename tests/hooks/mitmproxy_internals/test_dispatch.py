"""The faster event dispatch against mitmproxy's own: the same calls, the same arguments, the same log."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from types import MethodType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import tflow
from mitmproxy.tools.dump import DumpMaster

from hunyuan_fix.hooks.connections import Connections
from hunyuan_fix.hooks.mitmproxy_internals import dispatch, replacements
from hunyuan_fix.hunyuan_fix import HunyuanFix
from hunyuan_fix.views.commands import Commands

REPLACED = ("trigger_event", "trigger", "handle_lifecycle", "register", "remove", "clear")
DISPATCHERS = ("mitmproxy's", "faster")


def use(manager: AddonManager, dispatcher: str) -> AddonManager:
    """Let `manager` dispatch events by one of the two, whichever is in place for the process."""
    for name in REPLACED:
        place = f"mitmproxy.addonmanager:AddonManager.{name}"
        function = replacements.original(place) if dispatcher == "mitmproxy's" else getattr(dispatch, name)
        setattr(manager, name, MethodType(function, manager))
    return manager


@dataclass
class ProbeHook(hooks.Hook):
    """An event with two values."""

    one: object
    two: object


@dataclass
class BareHook(hooks.Hook):
    """An event without values."""


# Trees of add-ons

NO_OPTIONS = Options()
"""Of all managers: they cost more to make than the rest of an example."""

type Spec = dict[str, Any]

HOOKS = ("nothing", "sync", "async", "awaitable", "raises", "raises later", "halts", "halts later", "refuses")
ODD = ("not callable", "false", "module", "no arguments", "raising property", "base exception", "calls back")
ACTIONS = ("none", "add", "remove", "nest", "unnest", "replace chain", "clear")

specs = st.recursive(
    st.fixed_dictionaries(
        {"hook": st.sampled_from(HOOKS + ODD), "action": st.sampled_from(ACTIONS), "at": st.integers(0, 9)}
    ),
    lambda inner: st.fixed_dictionaries(
        {
            "hook": st.sampled_from(HOOKS + ODD),
            "action": st.sampled_from(ACTIONS),
            "at": st.integers(0, 9),
            "addons": st.one_of(st.lists(inner, max_size=3), st.sampled_from([None, 7])),
        }
    ),
    max_leaves=8,
)


@dataclass
class Seen:
    """What one dispatcher did with a tree."""

    dispatcher: str
    calls: list[tuple[object, ...]] = field(default_factory=list)
    log: list[tuple[object, ...]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


class Tree:
    """The add-ons of some specs, in a manager of their own."""

    def __init__(self, chain: list[Spec], seen: Seen) -> None:
        self.seen = seen
        master: Any = SimpleNamespace(options=NO_OPTIONS)
        self.manager = use(AddonManager(master), seen.dispatcher)
        self.made: list[Any] = []
        self.budget = 12
        self.manager.chain = [self.addon(spec) for spec in chain]

    def addon(self, spec: Spec) -> Any:
        number = len(self.made)
        attributes: dict[str, Any] = {"name": f"addon{number}", "__str__": lambda _: f"addon {number}"}
        if spec["hook"] == "raising property":
            attributes["probe"] = property(self._failing(number))
        made = type("Addon", (), attributes)()
        self.made.append(made)
        if spec["hook"] not in ("nothing", "raising property"):
            made.probe = made.bare = made.update = self.function(spec, number)
        if "addons" in spec:
            within = spec["addons"]
            made.addons = [self.addon(one) for one in within] if isinstance(within, list) else within
        return made

    def _failing(self, number: int) -> Callable[[object], object]:
        def probe(_: object) -> object:
            self.seen.calls.append((number, "property"))
            raise ZeroDivisionError(f"property of {number}")

        return probe

    def function(self, spec: Spec, number: int) -> Any:
        kind = spec["hook"]

        def called(*values: object) -> None:
            self.seen.calls.append((number, kind, *values))
            self.act(spec)

        def sync(*values: object) -> None:
            called(*values)
            if kind == "raises":
                raise ValueError(f"of {number}")
            if kind == "halts":
                raise exceptions.AddonHalt
            if kind == "refuses":
                raise exceptions.OptionsError(f"by {number}")
            if kind == "base exception":
                raise KeyboardInterrupt
            if kind == "calls back" and self.budget:
                self.budget -= 1
                # An error in an event within the event: the stack in the log has mitmproxy's entries twice.
                self.manager.invoke_addon_sync(self.made[spec["at"] % len(self.made)], BareHook())

        async def later(*values: object) -> None:
            called(*values)
            await asyncio.sleep(0)
            self.seen.calls.append((number, "resumed"))
            if kind == "raises later":
                raise ValueError(f"later, of {number}")
            if kind == "halts later":
                raise exceptions.AddonHalt

        @dataclass
        class Awaitable:
            values: tuple[object, ...]

            def __await__(self) -> Generator[Any, None, None]:
                return later(*self.values).__await__()

        def awaitable(*values: object) -> Awaitable:
            self.seen.calls.append((number, "returns an awaitable", *values))
            return Awaitable(values)

        return {
            "async": later,
            "raises later": later,
            "halts later": later,
            "awaitable": awaitable,
            "not callable": "a text",
            "false": 0,
            "module": math,
            "no arguments": lambda: None,
        }.get(kind, sync)

    def act(self, spec: Spec) -> None:
        """Change the tree, as an add-on may while an event is under way."""
        if self.budget == 0:
            return
        self.budget -= 1
        other = self.made[spec["at"] % len(self.made)]
        new: Spec = {"hook": HOOKS[spec["at"] % len(HOOKS)], "action": "none", "at": spec["at"]}
        match spec["action"]:
            case "add":
                self.manager.chain.append(self.addon(new))
            case "remove":
                self.manager.chain = [one for one in self.manager.chain if one is not other]
            case "nest":
                if isinstance(getattr(other, "addons", None), list):
                    other.addons = [*other.addons, self.addon(new)]
            case "unnest":
                if isinstance(getattr(other, "addons", None), list) and other.addons:
                    other.addons.pop()
            case "replace chain":
                self.manager.chain[:] = [*reversed(self.manager.chain)][:4]
            case "clear":
                self.manager.chain = []


@contextmanager
def logging_to(seen: Seen) -> Iterator[None]:
    """Keep what mitmproxy's add-on manager logs: its words, and each error's stack from the add-on's function on."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert record.exc_info
            kind, value, stack = record.exc_info
            frames = traceback.extract_tb(stack)
            # Of an error that no add-on made there are the dispatcher's own frames, where each has its own.
            by_addon = any(frame.filename == __file__ for frame in frames)
            names = [frame.name for frame in frames if by_addon and frame.name != "_iter_hooks"]
            seen.log.append((record.levelname, record.getMessage(), kind, str(value), tuple(names)))

    logger, handler = logging.getLogger("mitmproxy.addonmanager"), Handler()
    logger.addHandler(handler)
    propagates, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


async def put_through(chain: list[Spec], entries: list[str], dispatcher: str) -> Seen:
    seen = Seen(dispatcher)
    tree = Tree(chain, seen)
    flow = tflow.tflow()
    flow.id = "one"
    with logging_to(seen):
        for entry in entries:
            try:
                match entry:
                    case "trigger_event":
                        await tree.manager.trigger_event(ProbeHook("one", "two"))
                    case "trigger":
                        tree.manager.trigger(ProbeHook("one", "two"))
                    case "bare":
                        await tree.manager.trigger_event(BareHook())
                    case "lifecycle":
                        await tree.manager.handle_lifecycle(ProbeHook("no flow", 1))
                    case "lifecycle without values":
                        await tree.manager.handle_lifecycle(BareHook())
                    case _:
                        await tree.manager.handle_lifecycle(ProbeHook(flow.id, flow))
            except (Exception, KeyboardInterrupt) as error:
                seen.ended.append(f"{entry}: {type(error).__name__} {error}")
            else:
                seen.ended.append(entry)
    return seen


ENTRIES = st.sampled_from(["trigger_event", "trigger", "bare", "lifecycle", "lifecycle without values"])


@settings(max_examples=200, deadline=None)
@given(st.lists(specs, max_size=5), st.lists(ENTRIES, min_size=1, max_size=4))
@example(
    [{"hook": "raises", "action": "add", "at": 1, "addons": [{"hook": "sync", "action": "none", "at": 0}]}], ["trigger"]
)
@example(
    [{"hook": "calls back", "action": "none", "at": 1}, {"hook": "raises", "action": "none", "at": 0}],
    ["trigger_event"],
)
@example([{"hook": "nothing", "action": "none", "at": 0, "addons": None}], ["trigger_event", "trigger"])
def test_both_dispatchers_do_the_same_with_any_tree(chain: list[Spec], entries: list[str]):
    own, faster = (asyncio.run(put_through(chain, entries, dispatcher)) for dispatcher in DISPATCHERS)
    assert faster.calls == own.calls
    assert faster.log == own.log
    assert faster.ended == own.ended


async def test_an_attribute_set_on_an_add_on_is_seen_once_the_chain_changes():
    """The one thing that the table doesn't notice by itself: mitmproxy would look the attribute up at each event."""
    seen: list[object] = []
    manager = use(AddonManager(SimpleNamespace(options=NO_OPTIONS)), "faster")
    first, second = SimpleNamespace(), SimpleNamespace()
    manager.chain = [first]
    await manager.trigger_event(BareHook())
    first.bare = lambda: seen.append("first")
    await manager.trigger_event(BareHook())
    assert seen == []
    manager.chain.append(second)
    await manager.trigger_event(BareHook())
    assert seen == ["first"]


# All events of mitmproxy, all add-ons


async def everything(dispatcher: str, entry: str) -> list[tuple[str, str, tuple[object, ...]]]:
    """What is called for each event of mitmproxy, with all of mitmdump's add-ons and all of ours."""
    called: list[tuple[str, str, tuple[object, ...]]] = []
    master = DumpMaster(Options())
    manager = use(master.addons, dispatcher)
    fix = HunyuanFix()
    manager.get("scriptloader").addons += [fix, Connections(fix), Commands(fix.runtime.cascade, fix.stats)]

    def recorder(addon: str, event: str, real: object) -> Callable[..., object]:
        def sync(*values: object) -> None:
            called.append((addon, event, values))

        async def later(*values: object) -> None:
            sync(*values)

        return later if inspect.iscoroutinefunction(real) else sync

    for event in hooks.all_hooks:
        for addon in traverse(manager.chain):
            if callable(real := getattr(addon, event, None)):
                setattr(addon, event, recorder(type(addon).__name__, event, real))
    with logging_to(Seen(dispatcher)):
        for event, kind in hooks.all_hooks.items():
            await_or_not = getattr(manager, entry)(kind(*(f"{event}.{one.name}" for one in fields(kind))))  # type: ignore[arg-type]
            if await_or_not is not None:
                await await_or_not
    return called


@pytest.mark.parametrize("entry", ["trigger_event", "trigger"])
async def test_both_dispatchers_call_the_same_for_all_events_and_add_ons(entry: str):
    own, faster = [await everything(dispatcher, entry) for dispatcher in DISPATCHERS]
    assert faster == own
    assert len({event for _, event, _ in own}) > 30
    assert {"HunyuanFix", "Connections", "ProxyAuth", "Save"} <= {addon for addon, _, _ in own}


@pytest.mark.parametrize("dispatcher", DISPATCHERS)
async def test_an_event_about_a_flow_is_followed_by_an_update(dispatcher: str):
    seen: list[object] = []

    class Addon:
        def request(self, flow: object) -> None:
            seen.append(flow)

        def update(self, flows: object) -> None:
            seen.append(flows)

    manager = use(Master(Options()).addons, dispatcher)
    manager.add(Addon())
    flow = tflow.tflow()
    await manager.handle_lifecycle(HttpRequestHook(flow))
    assert seen == [flow, [flow]]


def test_an_event_has_its_values_in_the_order_of_its_fields():
    for kind in hooks.all_hooks.values():
        event: Any = kind(*range(len(fields(kind))))  # type: ignore[arg-type]
        assert dispatch.args(event) == replacements.original("mitmproxy.hooks:Hook.args")(event)
