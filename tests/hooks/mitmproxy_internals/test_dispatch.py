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
from types import MethodType, ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.addons.script import Script
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import tflow
from mitmproxy.tools.dump import DumpMaster

from hunyuan_fix.hooks.connections import Connections
from hunyuan_fix.hooks.mitmproxy_internals import dispatch, replacements
from hunyuan_fix.hunyuan_fix import HunyuanFix
from hunyuan_fix.views.commands import Commands

REPLACED = ("trigger_event", "trigger", "handle_lifecycle", "register")
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

FLOW = tflow.tflow()


def manager_of(dispatcher: str) -> AddonManager:
    """A manager without add-ons that takes any to be registered."""
    commands = SimpleNamespace(collect_commands=lambda _: None)
    master: Any = SimpleNamespace(options=NO_OPTIONS, commands=commands)
    return use(AddonManager(master), dispatcher)


type Spec = dict[str, Any]

HOOKS = ("nothing", "sync", "async", "awaitable", "raises", "raises later", "halts", "halts later", "refuses")
ODD = ("not callable", "false", "module", "no arguments", "raising property", "base exception", "calls back")
ACTIONS = ("none", "add", "remove", "nest", "unnest", "replace chain", "clear")
NOTICED_WHEN_TOLD = ("nest", "unnest", "replace chain")
"""Actions that are noticed during an event only because another add-on is registered after them."""

type Edit = tuple[str, int]
EDITS = ("append", "pop", "exchange", "reverse", "other list")
"""What happens to the lists of add-ons between two events."""

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
        self.manager = manager_of(seen.dispatcher)
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
            case "none":
                return
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
        if spec["action"] in NOTICED_WHEN_TOLD:
            self.manager.register(type("Addon", (), {"name": f"registered{len(self.made)}.{self.budget}"})())

    def edit(self, edit: Edit) -> None:
        """Change the tree between two events, without a word to the manager."""
        place, at = edit
        lists = [self.manager.chain, *(one.addons for one in self.made if isinstance(getattr(one, "addons", 0), list))]
        edited, new = lists[at % len(lists)], self.addon({"hook": "sync", "action": "none", "at": 0})
        match place:
            case "append":
                edited.append(new)
            case "pop":
                del edited[-1:]
            case "exchange":
                edited[:1] = [new]
            case "reverse":
                edited.reverse()
            case "other list":
                if owner := next((one for one in self.made if getattr(one, "addons", None) is edited), None):
                    owner.addons = [new]


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


async def put_through(chain: list[Spec], entries: list[str | Edit], dispatcher: str) -> Seen:
    seen = Seen(dispatcher)
    tree = Tree(chain, seen)
    with logging_to(seen):
        for entry in entries:
            try:
                match entry:
                    case (_, _):
                        tree.edit(entry)
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
                        await tree.manager.handle_lifecycle(ProbeHook(FLOW, 1))
            except (Exception, KeyboardInterrupt) as error:
                seen.ended.append(f"{entry}: {type(error).__name__} {error}")
            else:
                seen.ended.append(str(entry))
    return seen


ENTRIES = st.one_of(
    st.sampled_from(["trigger_event", "trigger", "bare", "lifecycle", "flow", "lifecycle without values"]),
    st.tuples(st.sampled_from(EDITS), st.integers(0, 9)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(specs, max_size=5), st.lists(ENTRIES, min_size=1, max_size=6))
@example(
    [{"hook": "raises", "action": "add", "at": 1, "addons": [{"hook": "sync", "action": "none", "at": 0}]}], ["trigger"]
)
@example(
    [{"hook": "calls back", "action": "none", "at": 1}, {"hook": "raises", "action": "none", "at": 0}],
    ["trigger_event"],
)
@example([{"hook": "nothing", "action": "none", "at": 0, "addons": None}], ["trigger_event", "trigger"])
def test_both_dispatchers_do_the_same_with_any_tree(chain: list[Spec], entries: list[str | Edit]):
    """Whatever is told to the manager counts at once, also during an event; anything else at the next event."""
    own, faster = (asyncio.run(put_through(chain, entries, dispatcher)) for dispatcher in DISPATCHERS)
    assert faster.calls == own.calls
    assert faster.log == own.log
    assert faster.ended == own.ended


# What the table notices, and when. `manager` and `named` are for these tests.


@pytest.fixture
def manager() -> AddonManager:
    return manager_of("faster")


Called = list[str]


def named(name: str, called: Called, then: Callable[[], object] = lambda: None, **attributes: object) -> Any:
    """An add-on that notes its name at the event `bare`, and does `then`."""

    def bare() -> None:
        called.append(name)
        then()

    return SimpleNamespace(name=name, bare=bare, **attributes)


async def called_twice(manager: AddonManager, called: Called) -> tuple[Called, Called]:
    """What was called at an event, and at the next one."""
    await manager.trigger_event(BareHook())
    first = [*called]
    called.clear()
    await manager.trigger_event(BareHook())
    return first, called


async def test_an_attribute_set_on_an_add_on_is_seen_once_the_chain_changes(manager: AddonManager):
    """The one thing that the table doesn't notice by itself: mitmproxy would look the attribute up at each event."""
    seen: list[object] = []
    first, second = SimpleNamespace(), SimpleNamespace()
    manager.chain = [first]
    await manager.trigger_event(BareHook())
    first.bare = lambda: seen.append("first")
    await manager.trigger_event(BareHook())
    assert seen == []
    manager.chain.append(second)
    await manager.trigger_event(BareHook())
    assert seen == ["first"]


@pytest.mark.parametrize("event", [hooks.ConfigureHook(set()), hooks.RunningHook()], ids=["configure", "running"])
@pytest.mark.parametrize("entry", ["trigger_event", "trigger"])
async def test_an_attribute_set_on_an_add_on_is_seen_after_the_events_in_which_add_ons_set_themselves_up(
    manager: AddonManager, event: hooks.Hook, entry: str
):
    seen: list[object] = []
    addon = SimpleNamespace()
    manager.chain = [addon]
    await manager.trigger_event(BareHook())
    setattr(addon, event.name, lambda *_: setattr(addon, "bare", lambda: seen.append("bare")))
    if (waited_for := getattr(manager, entry)(event)) is not None:
        await waited_for
    await manager.trigger_event(BareHook())
    assert seen == ["bare"]


async def test_a_longer_chain_is_noticed_at_once(manager: AddonManager):
    called: Called = []
    manager.chain = [named("one", called, lambda: manager.chain.append(named("new", called)))]
    await manager.trigger_event(BareHook())
    assert called == ["one", "new"]


async def test_an_exchange_within_the_chain_is_noticed_at_the_next_event(manager: AddonManager):
    called: Called = []
    new = named("new", called)
    manager.chain = [named("one", called, lambda: manager.chain.__setitem__(1, new)), named("two", called)]
    assert await called_twice(manager, called) == (["one", "two"], ["one", "new"])


@pytest.mark.parametrize("to", ["in the list", "as another list"])
async def test_other_add_ons_within_one_are_noticed_at_the_next_event(manager: AddonManager, to: str):
    called: Called = []
    outer = named("outer", called, lambda: exchange(), addons=[named("old", called)])  # noqa: PLW0108 - defined below
    new = named("new", called)

    def exchange() -> None:
        if to == "in the list":
            outer.addons[0] = new
        else:
            outer.addons = [new]

    manager.chain = [outer]
    assert await called_twice(manager, called) == (["outer", "old"], ["outer", "new"])


async def test_what_is_registered_is_noticed_at_once_in_all_lists_that_are_left_from_the_inmost_on(
    manager: AddonManager,
):
    called: Called = []
    inmost = [named("first", called, lambda: change())]  # noqa: PLW0108 - defined below
    middle = [named("holder", called, addons=inmost)]
    outer = [named("holder of all", called, addons=middle)]

    def change() -> None:
        for number, addons in enumerate((inmost, middle, outer), 1):
            addons.append(named(f"new {number}", called))
        manager.register(SimpleNamespace(name="another"))

    manager.chain = [named("entry", called, addons=outer), named("last", called)]
    await manager.trigger_event(BareHook())
    assert called == ["entry", "holder of all", "holder", "first", "new 1", "new 2", "new 3", "last"]


async def test_a_change_by_an_add_on_that_must_be_asked_each_time_is_noticed_at_once(manager: AddonManager):
    called: Called = []

    class Asked:
        name = "asked"

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name != "bare":
                raise AttributeError(name)
            return lambda: manager.chain.append(named("new", called))

    manager.chain = [Asked()]
    await manager.trigger_event(BareHook())
    assert called == ["new"]


async def test_what_is_registered_is_noticed_by_an_event_that_began_before_another_one_looked_everything_up(
    manager: AddonManager,
):
    called: Called = []

    async def bare() -> None:
        outer.addons = []
        await manager.trigger_event(ProbeHook("one", "two"))
        manager.chain[1] = named("new", called)
        manager.register(SimpleNamespace(name="another"))

    outer = SimpleNamespace(name="outer", bare=bare, addons=[SimpleNamespace(name="inner")])
    manager.chain = [outer, named("old", called)]
    await manager.trigger_event(BareHook())
    assert called == ["new"]


async def test_add_ons_that_a_property_makes_are_asked_for_at_each_event(manager: AddonManager):
    called: Called = []
    made: list[object] = []

    class Outer:
        name = "outer"

        @property
        def addons(self) -> list[object]:
            made.append(named(str(len(made)), called))
            return made[-1:]

    manager.chain = [Outer()]
    first, second = await called_twice(manager, called)
    assert first != second


async def test_an_error_of_a_property_with_add_ons_is_that_add_ons_own(manager: AddonManager):
    called: Called = []

    class Outer:
        name = "outer"

        @property
        def addons(self) -> list[object]:
            raise ValueError("of addons")

    manager.chain = [Outer(), named("two", called)]
    seen = Seen("faster")
    with logging_to(seen):
        await manager.trigger_event(BareHook())
    assert called == ["two"]
    assert [line[1] for line in seen.log] == ["Addon error: of addons"]


@pytest.mark.parametrize("ending", ["remove", "clear"])
@pytest.mark.parametrize("dispatcher", DISPATCHERS)
async def test_what_is_removed_is_called_for_the_last_time_at_the_event_under_way(dispatcher: str, ending: str):
    manager, called = manager_of(dispatcher), Called()
    two = named("two", called)

    def end() -> None:
        if ending == "clear":
            manager.clear()
        else:
            manager.remove(two)

    manager.add(named("one", called, end), two)
    assert await called_twice(manager, called) == (["one", "two"], ["one"] if ending == "remove" else [])


class Equal(SimpleNamespace):
    """An add-on that takes itself for any other."""

    def __eq__(self, other: object) -> bool:
        """Always."""
        return True

    __hash__ = None


@pytest.mark.parametrize("nested", [False, True], ids=["in the chain", "within another"])
async def test_an_add_on_that_is_equal_to_another_isnt_taken_for_it(manager: AddonManager, nested: bool):
    called: Called = []
    one, other = [Equal(name=name, bare=lambda name=name: called.append(name)) for name in ("one", "other")]
    addons: list[object] = [one]
    outer: Any = type("Outer", (), {"addons": addons})()
    manager.chain = [outer] if nested else addons
    await manager.trigger_event(BareHook())
    addons[0] = other
    await manager.trigger_event(BareHook())
    assert called == ["one", "other"]


async def test_a_script_that_is_loaded_anew_is_noticed_at_the_next_event(manager: AddonManager):
    """mitmproxy's `Script` has its module in `ns`, of which its `addons` is made."""
    called: Called = []
    script: Any = object.__new__(Script)
    modules = [ModuleType(name) for name in ("one", "other")]
    for module in modules:
        vars(module)["bare"] = named(module.__name__, called).bare
    script.name, script.ns = "script", modules[0]
    manager.chain = [script]
    await manager.trigger_event(BareHook())
    script.ns = modules[1]
    await manager.trigger_event(BareHook())
    script.ns = None
    await manager.trigger_event(BareHook())
    assert called == ["one", "other"]


async def test_update_has_the_add_ons_of_its_event_unless_something_is_registered(manager: AddonManager):
    seen: Called = []
    outer = SimpleNamespace(name="outer", addons=[])
    new = SimpleNamespace(update=lambda _: seen.append("update"))
    told = iter([False, True])

    def request(_: object) -> None:
        outer.addons = [new]
        if next(told):
            manager.register(SimpleNamespace(name="another"))

    outer.request = request
    manager.chain = [outer]
    await manager.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert seen == []
    outer.addons = []
    await manager.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert seen == ["update"]


# All events of mitmproxy, all add-ons


async def everything(dispatcher: str, entry: str) -> list[tuple[str, str, tuple[object, ...]]]:
    """What is called for each event of mitmproxy, with all of mitmdump's add-ons and all of ours."""
    called: list[tuple[str, str, tuple[object, ...]]] = []
    master = DumpMaster(Options())
    manager = use(master.addons, dispatcher)
    fix = HunyuanFix()
    manager.get("scriptloader").addons += [
        fix,
        Connections(fix),
        Commands(fix.runtime.cascade, fix.runtime.kept, fix.runtime.reasoning, fix.stats),
    ]

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
