"""The chain: memory, and stores below it that fail when they are told to. Real ones: test_chain_real.py."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from hunyuan_fix.stores import Chain, Item, LevelCounts, Memory, StoreError
from hunyuan_fix.stores.backlog import WRITES_MAX
from tests.stores.standing import Ailing, Time, lines
from tests.waiting import until


@pytest.fixture(params=[None, asyncio.eager_task_factory], ids=["lazy", "eager"])
async def tasks(request: pytest.FixtureRequest) -> None:
    """mitmproxy runs with the eager task factory (docs/facts/mitmproxy.md#eager-tasks)."""
    asyncio.get_running_loop().set_task_factory(request.param)


pytestmark = pytest.mark.usefixtures("tasks")


class Setting:
    def __init__(self) -> None:
        self.time = Time()
        self.near, self.far = Ailing(self.time), Ailing(self.time)
        self.near.name, self.far.name = "near", "far"
        self.chain = self.made()

    def made(self) -> Chain:
        memory = Memory(1000, 1 << 20, self.time)
        return Chain(memory, [self.near, self.far], self.time, self.time.sleep)

    def counts(self, name: str) -> LevelCounts:
        return next(counts for counts in self.chain.counts() if counts.name == name)

    def restarted(self) -> None:
        """Another process with the same stores: nothing in memory."""
        self.chain = self.made()


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    made = Setting()
    yield made
    await made.chain.aclose()


async def test_put_is_at_once_in_memory_and_soon_below(setting: Setting) -> None:
    setting.near.hangs = asyncio.Event()
    setting.chain.put("a", b"1")
    assert await setting.chain.get("a") == Item(b"1")
    assert setting.near.find("a") is None
    setting.near.hangs.set()
    await setting.chain.flush()
    assert setting.near.find("a") == setting.far.find("a") == Item(b"1")
    assert setting.counts("memory") == LevelCounts("memory", 1, 0)


async def test_a_hit_below_fills_what_is_above_with_the_time_that_is_left(setting: Setting) -> None:
    setting.far.keep("a", b"1", 60.0)
    setting.far.keep("b", b"2")
    setting.time.passes(20)
    assert await setting.chain.get("a") == Item(b"1", 40.0)
    assert await setting.chain.get("b") == Item(b"2")
    await setting.chain.flush()
    assert setting.near.find("a") == setting.chain.memory.find("a") == Item(b"1", 40.0)
    asked = setting.near.asked, setting.far.asked
    assert await setting.chain.get("a") == Item(b"1", 40.0)
    assert (setting.near.asked, setting.far.asked) == asked
    setting.time.passes(40)
    assert await setting.chain.get("a") is None
    assert await setting.chain.get("b") == Item(b"2")
    counts = setting.counts("near"), setting.counts("far")
    assert [(one.hits, one.misses) for one in counts] == [(0, 3), (2, 1)]


async def test_waiting_takes_from_the_time_that_is_left(setting: Setting) -> None:
    setting.near.error = StoreError("gone")
    setting.chain.put("a", b"1", 60.0)
    setting.chain.put("b", b"2", 10.0)
    await until(lambda: setting.counts("near").failures == 1)
    setting.near.error = None
    setting.time.passes(4)
    await setting.chain.flush()
    assert setting.near.find("a") == Item(b"1", 56.0)
    setting.near.error = StoreError("gone")
    setting.chain.put("b", b"3", 10.0)
    await until(lambda: setting.counts("near").failures == 2)
    setting.near.error = None
    setting.time.passes(10)
    await setting.chain.flush()
    assert (setting.counts("near").waiting, setting.near.find("b")) == (0, None)


async def test_what_is_not_written_yet_is_found(setting: Setting) -> None:
    setting.near.error = setting.far.error = StoreError("gone")
    setting.chain.put("a", b"1", 60.0)
    await until(lambda: setting.counts("near").failures == 1)
    setting.chain.memory.forget("")
    setting.time.passes(2)
    assert await setting.chain.get("a") == Item(b"1", 58.0)
    setting.chain.memory.forget("")
    setting.time.passes(58)
    assert await setting.chain.get("a") is None


@pytest.mark.parametrize("way", ["delete", "clear"])
async def test_what_is_forgotten_is_not_found_though_the_stores_fail(setting: Setting, way: str) -> None:
    setting.chain.put("x:a", b"1")
    setting.chain.put("y:a", b"2")
    await setting.chain.flush()
    setting.near.error = setting.far.error = StoreError("gone")
    if way == "delete":
        setting.chain.delete("x:a")
    else:
        assert setting.chain.clear("x:") == 1
    assert await setting.chain.get("x:a") is None
    setting.near.error = setting.far.error = None
    setting.time.passes(5)
    await setting.chain.flush()
    assert setting.near.find("x:a") is setting.far.find("x:a") is None
    assert setting.near.find("y:a") == setting.far.find("y:a") == Item(b"2")


async def test_nor_does_what_is_on_its_way_up_bring_it_back(setting: Setting) -> None:
    setting.far.keep("a", b"1")
    setting.far.hangs = asyncio.Event()
    getting = asyncio.create_task(setting.chain.get("a"))
    await until(lambda: setting.far.asked == 1)
    setting.chain.clear("")
    setting.far.hangs.set()
    await getting
    await setting.chain.flush()
    assert await setting.chain.get("a") is None
    assert setting.near.find("a") is None


async def test_a_newer_value_is_not_overwritten_from_below(setting: Setting) -> None:
    setting.far.keep("a", b"old")
    setting.far.hangs = asyncio.Event()
    getting = asyncio.create_task(setting.chain.get("a"))
    await until(lambda: setting.far.asked == 1)
    setting.chain.put("a", b"new")
    setting.far.hangs.set()
    await getting
    await setting.chain.flush()
    assert [store.find("a") for store in (setting.chain.memory, setting.near, setting.far)] == [Item(b"new")] * 3


async def test_a_failing_store_is_passed_by(setting: Setting) -> None:
    setting.far.keep("a", b"1")
    setting.near.error = StoreError("gone")
    assert await setting.chain.get("a") == Item(b"1")
    setting.chain.memory.forget("")
    asked = setting.near.asked
    assert await setting.chain.get("b") is None
    assert setting.near.asked == asked
    assert setting.counts("near").failing
    assert (setting.counts("near").bypassed, setting.counts("near").misses) == (1, 0)


async def test_when_it_is_back_what_waited_is_written(setting: Setting) -> None:
    setting.near.error = StoreError("gone")
    setting.chain.put("a", b"1")
    setting.chain.put("b", b"2")
    await until(lambda: setting.counts("near").failures == 1)
    assert setting.counts("near").waiting == 2
    setting.time.passes(5)
    await until(lambda: setting.counts("near").failures == 2)
    setting.near.error = None
    setting.time.passes(10)
    await until(lambda: setting.counts("near").waiting == 0)
    assert len(setting.near) == 2
    assert not setting.counts("near").failing


async def test_too_much_that_waits_is_dropped_and_counted(setting: Setting) -> None:
    setting.near.error = StoreError("gone")
    for number in range(WRITES_MAX + 10):
        setting.chain.put(str(number), b"")
    await until(lambda: setting.counts("far").waiting == 0)
    assert (setting.counts("near").dropped, setting.counts("near").waiting) == (10, WRITES_MAX)


async def test_flush_tries_a_store_that_is_let_alone_once_more(setting: Setting) -> None:
    setting.near.error = StoreError("gone")
    setting.chain.put("a", b"1")
    await setting.chain.flush()
    await setting.chain.flush()
    assert setting.near.find("a") is None
    setting.near.error = None
    await setting.chain.flush()
    assert setting.near.find("a") == Item(b"1")


async def test_the_end_writes_closes_and_says_what_is_lost(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    setting.near.error = StoreError("gone")
    setting.chain.put("a", b"1")
    await setting.chain.aclose()
    assert setting.near.closed and setting.far.closed
    assert setting.far.asked == 1, "flushed"
    assert "Store near: 1 writes were still waiting at its end and are lost." in lines(caplog)
    assert "Store near could not be closed in order: gone" in lines(caplog)
    assert [counts.name for counts in setting.chain.counts()] == ["memory"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_stores_are_replaced_while_running(setting: Setting) -> None:
    new = Ailing(setting.time)
    setting.near.hangs = asyncio.Event()
    setting.chain.put("a", b"1")
    getting = asyncio.create_task(setting.chain.get("b"))
    await until(lambda: setting.near.asked >= 1)
    setting.chain.replace([new])
    setting.chain.put("c", b"3")
    await until(lambda: new.find("c") is not None)
    assert not setting.near.closed
    written: list[str] = []
    setting.near.hangs.set()
    assert await getting is None
    await until(lambda: setting.near.closed and setting.far.closed)
    assert written == []
    assert await setting.chain.get("a") == Item(b"1"), "memory stays"
    assert [counts.name for counts in setting.chain.counts()] == ["memory", "ailing"]


async def test_what_is_old_is_flushed_before_it_is_closed(setting: Setting) -> None:
    kept: dict[str, Item] = {}

    class Last(Ailing):
        async def aclose(self) -> None:
            kept.update(self.held("", 10))
            await super().aclose()

    setting.chain.replace([last := Last(setting.time)])
    last.hangs = asyncio.Event()
    setting.chain.put("a", b"1")
    setting.chain.replace([])
    last.hangs.set()
    await setting.chain.aclose()
    assert kept == {"a": Item(b"1")}


async def test_a_client_that_leaves_takes_nothing_along(setting: Setting) -> None:
    setting.near.keep("a", b"1")
    setting.near.hangs = asyncio.Event()
    getting = asyncio.create_task(setting.chain.get("a"))
    await until(lambda: setting.near.asked == 1)
    getting.cancel()
    await asyncio.wait({getting})
    assert getting.cancelled()
    setting.near.hangs = None
    assert await setting.chain.get("a") == Item(b"1")
    assert setting.counts("near").failures == 0


async def test_looking_through_what_is_below(setting: Setting) -> None:
    setting.near.keep("x:a", b"1")
    setting.far.error = StoreError("gone")
    assert await setting.chain.scan_below("x:", 10) == {"near": [("x:a", Item(b"1"))], "far": []}


async def test_clearing_says_how_many(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for key in "abc":
        setting.near.keep(key, b"")
    assert setting.chain.clear("") == 0
    await setting.chain.flush()
    assert sorted(lines(caplog, logging.INFO)) == [
        "Store far: 0 entries forgotten.",
        "Store near: 3 entries forgotten.",
    ]


async def test_the_lowest_store_decides_what_is_fresh(setting: Setting) -> None:
    setting.chain.put("a", b"1")
    await setting.chain.flush()
    assert await setting.chain.fresh("a") == Item(b"1")
    setting.far.keep("a", b"2", 60.0)
    assert await setting.chain.fresh("a") == Item(b"2", 60.0), "another process has changed it"
    assert setting.chain.memory.find("a") == Item(b"2", 60.0), "and the memory has it, too"
    setting.far.drop("a")
    assert await setting.chain.fresh("a") is None, "another process has deleted it"
    assert setting.chain.memory.find("a") is None
    setting.chain.put("b", b"3")
    assert await setting.chain.fresh("b") == Item(b"3"), "though it is still being written"


async def test_where_stores_fail_the_next_above_decides_what_is_fresh(setting: Setting) -> None:
    setting.chain.put("a", b"1")
    await setting.chain.flush()
    setting.near.keep("a", b"2")
    setting.far.error = StoreError("gone")
    for _ in range(10):  # until it is known to fail
        await setting.chain.get("b")
    assert await setting.chain.fresh("a") == Item(b"2")
    setting.near.error = StoreError("gone")
    for _ in range(10):
        await setting.chain.get("c")
    assert await setting.chain.fresh("a") == Item(b"2"), "the memory has it"


async def test_without_stores_the_memory_decides() -> None:
    chain = Chain(Memory(10, 1000))
    chain.put("a", b"1")
    assert await chain.fresh("a") == Item(b"1")
    assert await chain.fresh("b") is None


async def test_what_is_written_can_be_waited_for(setting: Setting) -> None:
    setting.near.hangs = asyncio.Event()
    setting.chain.put("a", b"1")
    waiting = asyncio.create_task(setting.chain.written())
    await asyncio.sleep(0)
    assert not waiting.done()
    setting.near.hangs.set()
    await waiting
    assert setting.near.find("a") == setting.far.find("a") == Item(b"1")
    await setting.chain.written()  # nothing waits


async def test_a_store_that_hangs_or_fails_is_not_waited_for(setting: Setting) -> None:
    setting.near.hangs = asyncio.Event()
    setting.chain.put("a", b"1")
    await setting.chain.written()
    assert setting.near.find("a") is None
    setting.near.hangs.set()
    setting.near.error = setting.far.error = StoreError("gone")
    for _ in range(10):
        await setting.chain.get("b")
    setting.chain.put("c", b"1")
    waiting = asyncio.create_task(setting.chain.written())
    await asyncio.sleep(0)
    assert waiting.done()
