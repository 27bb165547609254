"""What calls reserve and spend: over midnight, while a store is down, after a crash, until it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.budgets import spending as module
from hunyuan_fix.budgets.counters import Settlement
from hunyuan_fix.budgets.lines import Budgets, budgets
from hunyuan_fix.budgets.memory import MemoryCounters
from hunyuan_fix.budgets.redis import RedisCounters
from hunyuan_fix.budgets.settings import BudgetSettings
from hunyuan_fix.budgets.spending import HELD_WAIT, LASTS, LATE, Spending
from hunyuan_fix.budgets.sqlite import SqliteCounters
from hunyuan_fix.events import PAID, Event
from hunyuan_fix.prices import UNITS, Cost
from hunyuan_fix.stores import redis as redis_store
from hunyuan_fix.stores.guard import FIRST_PAUSE
from hunyuan_fix.stores.redis import redis_client
from hunyuan_fix.stores.store import StoreError
from tests.redis_server import RedisServer
from tests.waiting import until

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 30, 12, tzinfo=SHANGHAI).timestamp()


class Clocks:
    """Unix time and the monotonic clock; who sleeps moves both on."""

    def __init__(self) -> None:
        self.now, self.running = NOON, 0.0
        self.slept: list[float] = []

    def unix(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.running

    def move(self, seconds: float) -> None:
        self.now += seconds
        self.running += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.move(seconds)
        await asyncio.sleep(0)


class OneMoment(Clocks):
    """All happens within a moment: else each of several workers that sleep would move the time of all."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Shared(MemoryCounters):
    """Counters of all workers that can be out of reach, and may have heard what they seem to have missed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.is_down, self.hears = False, False
        self.told: list[str] = []
        self.closed = 0

    async def reserve(self, *given: Any) -> Any:
        self._reach()
        return await super().reserve(*given)

    async def look(self, *given: Any) -> Any:
        self._reach()
        return await super().look(*given)

    async def settle(self, settlement: Settlement) -> None:
        if not (self.is_down and not self.hears):
            if settlement.id not in self.told:
                await super().settle(settlement)
            self.told.append(settlement.id)
        self._reach()

    async def aclose(self) -> None:
        self.closed += 1

    def _reach(self) -> None:
        if self.is_down:
            raise StoreError("it is down")


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def shared(clocks: Clocks) -> Shared:
    return Shared(clocks.unix)


def opened(clocks: Clocks, lines: str, counters: Any = None) -> Spending:
    made = Spending(clocks.unix, clocks.monotonic, clocks.sleep)
    made.use(budgets(lines), SHANGHAI)
    made.share(counters)
    return made


def paid(exchange: str = "x", tokens: int = 0, purpose: str = "own", **more: Any) -> Event:
    data = {
        **{"id": exchange, "purpose": purpose, "client": "alice", "session": "5e55"},
        **{"usage": {"input": tokens, "output": 0} if tokens else {}, "amount": None, "currency": ""},
        **more,
    }
    return Event(PAID, exchange, 0.0, data)


async def reserve(spending: Spending, exchange: str = "x", tokens: int = 10, cost: Cost | None = None) -> Any:
    return await spending.reserve(exchange, "alice", "5e55", tokens, cost)


async def told(spending: Spending) -> None:
    await until(lambda: not spending._has_news())


async def standings(spending: Spending) -> dict[str, tuple[int, int]]:
    keys = list(spending._known)
    return {key: (one.spent, one.held) for key, one in zip(keys, await spending._looked(keys), strict=True)}


DAY = "all day 100 tokens"
KEY = "all:day:2026-11-30:tokens"


async def test_without_budgets_nothing_is_counted_or_kept(clocks: Clocks) -> None:
    spending = opened(clocks, "")
    assert not spending
    assert not spending.applying("alice", "5e55")
    spending.hear(paid(tokens=50))
    spending.over("x", is_sent=True)
    assert not (spending._has_news() or spending._held or spending.known())


async def test_a_call_is_held_then_spent(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    verdict = await reserve(spending, tokens=30)
    assert (verdict.spent, verdict.held, list(verdict.nearly)) == (None, None, [])
    assert await standings(spending) == {KEY: (0, 30)}
    spending.over("x", is_sent=True)
    assert spending._held, "until it is told what it used"
    spending.hear(paid(tokens=42))
    await told(spending)
    assert await standings(spending) == {KEY: (42, 0)}
    assert not spending._held


async def test_what_is_told_before_the_end_ends_it_there(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    await reserve(spending)
    spending.hear(paid(tokens=5, purpose="vision"))
    spending.hear(paid(tokens=42))
    await told(spending)
    assert await standings(spending) == {KEY: (47, 10)}
    spending.over("x", is_sent=True)
    await told(spending)
    assert await standings(spending) == {KEY: (47, 0)}


async def test_a_call_that_was_not_sent_costs_nothing(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    await reserve(spending)
    spending.over("x", is_sent=False)
    spending.over("x", is_sent=False)
    await told(spending)
    assert await standings(spending) == {KEY: (0, 0)}


async def test_of_which_nothing_is_told_is_held_no_longer_than_that(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    await reserve(spending)
    spending.over("x", is_sent=True)
    await until(lambda: not spending._held)
    assert clocks.running >= LATE
    await told(spending)
    assert await standings(spending) == {KEY: (0, 0)}


async def test_it_is_refused_when_it_is_spent_and_warned_of_before(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    spending.hear(paid("a", 79))
    await told(spending)
    assert list((await reserve(spending, "b")).nearly) == []
    spending.over("b", is_sent=False)
    spending.hear(paid("c", 1))
    await told(spending)
    (nearly,) = (await reserve(spending, "d")).nearly
    assert (nearly.spent, str(nearly.budget), nearly.resets) == (80, DAY, "2026-12-01 00:00 +08:00")
    spending.hear(paid("d", 20))
    spending.over("d", is_sent=True)
    await told(spending)
    verdict = await reserve(spending, "e")
    assert (verdict.spent.spent, verdict.held, clocks.slept) == (100, None, [])


async def test_a_call_waits_a_while_for_what_others_hold(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    await reserve(spending, "a", 90)
    before = clocks.running
    verdict = await reserve(spending, "b", 20)
    assert (verdict.spent, verdict.held.spent) == (None, 0)
    assert HELD_WAIT <= clocks.running - before < HELD_WAIT + LASTS
    assert spending._keeper is not None
    spending._keeper.cancel()  # its sleep would move the clock
    waiting = asyncio.create_task(reserve(spending, "c", 20))
    await asyncio.sleep(0)
    spending.over("a", is_sent=False)
    verdict = await waiting
    assert (verdict.spent, verdict.held) == (None, None)


async def test_a_cancelled_wait_leaves_nothing(clocks: Clocks, shared: Shared) -> None:
    async def for_ever(_: float) -> None:
        await asyncio.Event().wait()

    spending = Spending(clocks.unix, clocks.monotonic, for_ever)
    spending.use(budgets(DAY), SHANGHAI)
    spending.share(shared)
    await reserve(spending, "a", 90)
    waiting = asyncio.create_task(reserve(spending, "b", 20))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    spending.over("b", is_sent=False)
    await told(spending)
    assert await standings(spending) == {KEY: (0, 90)}


async def test_a_call_over_midnight_counts_for_the_day_on_which_it_began(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, f"{DAY}, all month 1k tokens", shared)
    clocks.now = datetime(2026, 11, 30, 23, 59, 59, tzinfo=SHANGHAI).timestamp()
    await reserve(spending)
    clocks.now += 2
    spending.hear(paid(tokens=42))
    spending.over("x", is_sent=True)
    await told(spending)
    assert await standings(spending) == {KEY: (42, 0), "all:month:2026-11:tokens": (42, 0)}
    assert list(spending.known()) == [], "yesterday's"
    await reserve(spending, "y")
    assert [one.span.name for one in spending.known()] == ["2026-12-01", "2026-12"]
    assert [one.standing.spent for one in spending.known()] == [0, 0]


async def test_money_counts_in_its_own_currency_alone(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, "all day 10 CNY, all day 2 USD, all day 1k tokens", shared)
    verdict = await reserve(spending, "a", 10, Cost(UNITS, "USD", ""))
    assert list(verdict.unpriced) == []
    spending.hear(paid("a", 10, amount=2 * UNITS, currency="USD"))
    spending.over("a", is_sent=True)
    await told(spending)
    found = {key.rpartition(":")[2]: one for key, one in (await standings(spending)).items()}
    assert found == {"USD": (2 * UNITS, 0), "tokens": (10, 0)}
    assert [one.spent for one in await shared.look([KEY.replace("tokens", "CNY")])] == [0]
    assert (await reserve(spending, "b", 10, Cost(UNITS, "USD", ""))).spent.budget.unit == "USD"
    assert (await reserve(spending, "c", 10, Cost(UNITS, "CNY", ""))).spent is None


async def test_calls_without_a_price_are_told(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, "all day 10 CNY, session:* day 1 CNY, all day 1k tokens", shared)
    verdict = await reserve(spending, "a", 10, None)
    assert [str(budget) for budget in verdict.unpriced] == ["session:* day 1.00 CNY", "all day 10.00 CNY"]
    assert verdict.refusing is None
    spending.hear(paid("a", 10))
    spending.hear(paid("a", 10, amount=5, currency="USD"))
    spending.hear(paid("a", 10, amount=5, currency="CNY"))
    spending.hear(paid("a", 0))
    assert spending.unpriced == 2


async def test_a_strict_budget_refuses_and_reserves_nothing(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, "all day 10 CNY strict", shared)
    for cost in (None, Cost(1, "USD", "")):
        assert str((await reserve(spending, "a", 10, cost)).refusing) == "all day 10.00 CNY strict"
    assert not spending._held


# A store that is down


async def test_while_the_store_is_down_calls_pass_and_are_counted_here(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    spending.hear(paid("a", 60))
    await told(spending)
    await reserve(spending, "b")  # learns what is spent
    spending.over("b", is_sent=False)
    await told(spending)
    shared.is_down = True
    assert (await reserve(spending, "c")).spent is None
    assert spending.is_failing
    spending.hear(paid("c", 39))
    spending.over("c", is_sent=True)
    spending.hear(paid("d", 1))
    assert (await reserve(spending, "e")).spent.spent == 100
    shared.is_down = False
    clocks.move(FIRST_PAUSE)
    await told(spending)
    assert (await standings(spending))[KEY] == (100, 0)
    assert not spending.is_failing


async def test_what_others_spent_is_known_while_the_store_is_down(clocks: Clocks, shared: Shared) -> None:
    other, spending = opened(clocks, DAY, shared), opened(clocks, DAY, shared)
    other.hear(paid("a", 100))
    await told(other)
    assert (await reserve(spending, "b")).spent.spent == 100
    shared.is_down = True
    assert (await reserve(spending, "c")).spent.spent == 100


async def test_who_has_no_patience_does_not_wait(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    await reserve(spending, "a", 90)
    verdict = await spending.reserve("b", "alice", "5e55", 20, None, patience=0.0)
    assert verdict.held is not None
    assert clocks.slept == []


async def test_what_the_store_heard_without_saying_so_counts_once(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    await reserve(spending, "a")
    shared.is_down = shared.hears = True
    spending.hear(paid("a", 30))
    await until(lambda: shared.told)
    spending.over("a", is_sent=True)
    spending.hear(paid("b", 12))
    shared.is_down = False
    clocks.move(FIRST_PAUSE)
    await told(spending)
    assert (await standings(spending))[KEY] == (42, 0)
    assert shared.told[0] == shared.told[-2], "told again under the same id"


async def test_what_is_held_is_renewed_while_it_runs(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    await reserve(spending, "a", 30)
    await until(lambda: clocks.running > 5 * LASTS)
    assert await standings(spending) == {KEY: (0, 30)}
    spending.over("a", is_sent=False)
    await told(spending)


async def test_a_worker_that_dies_holds_what_it_held_for_a_while(clocks: Clocks, shared: Shared) -> None:
    dead, other = opened(clocks, DAY, shared), opened(clocks, DAY, shared)
    await reserve(dead, "a", 95)
    assert dead._keeper is not None
    dead._keeper.cancel()
    assert (await reserve(other, "b", 20)).held is not None
    clocks.move(LASTS)
    assert (await reserve(other, "c", 20)).held is None


async def test_at_the_end_all_is_told(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    await reserve(spending, "a", 30)
    await reserve(spending, "b", 30)
    spending.hear(paid("a", 12))
    await spending.aclose()
    assert [(one.spent, one.held) for one in await shared.look([KEY])] == [(12, 0)]
    assert shared.closed == 1


async def test_at_the_end_a_store_that_is_down_keeps_nobody(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    shared.is_down = True
    spending.hear(paid("a", 12))
    await asyncio.wait_for(spending.aclose(), 5)


# Changes


async def test_budgets_may_change_while_a_call_runs(clocks: Clocks, shared: Shared) -> None:
    spending = opened(clocks, DAY, shared)
    await reserve(spending, "a", 30)
    spending.use(budgets("all day 50 tokens"), SHANGHAI)
    spending.hear(paid("a", 40))
    spending.over("a", is_sent=True)
    await told(spending)
    (nearly,) = (await reserve(spending, "b")).nearly
    assert (nearly.spent, nearly.budget.limit) == (40, 50)
    spending.use(Budgets(), SHANGHAI)
    spending.hear(paid("b", 40))
    spending.over("b", is_sent=True)
    await told(spending)
    spending.use(budgets(DAY), SHANGHAI)
    assert [one.spent for one in (await reserve(spending, "c")).nearly] == [80], "it was held to a budget when it began"


async def test_the_place_is_opened_only_where_it_changes(clocks: Clocks, tmp_path: Path) -> None:
    spending = Spending(clocks.unix, clocks.monotonic, clocks.sleep)
    spending.configure(BudgetSettings(), None, None)
    assert (spending.place, spending._shared) == (None, None)
    given = BudgetSettings(budgets=budgets(DAY), budgets_file=tmp_path / "a")
    spending.configure(given, None, None)
    first = spending._shared
    assert isinstance(first, SqliteCounters)
    spending.configure(given, None, None)
    assert spending._shared is first
    client = redis_client("redis://127.0.0.1:1/0")
    spending.configure(given, "redis://127.0.0.1:1/0", client)
    assert isinstance(spending._shared, RedisCounters)
    second = spending._shared
    spending.configure(BudgetSettings(), None, None)
    assert spending._shared is second, "for calls that began under a budget"
    assert not spending
    await spending.aclose()
    await client.aclose()


async def test_what_is_shown_is_bounded(clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KNOWN", 5)
    spending = opened(clocks, "session:* day 100 tokens", MemoryCounters(clocks.unix))
    for number in range(9):
        await spending.reserve(str(number), "", f"s{number}", 1, None)
        spending.hear(paid(str(number), 10 * number, client="", session=f"s{number}"))
        spending.over(str(number), is_sent=True)
        await told(spending)
        await spending.reserve(str(number), "", f"s{number}", 1, None)
        spending.over(str(number), is_sent=False)
        assert spending.is_news(f"news {number}")
        assert not spending.is_news(f"news {number}")
    assert [one.who for one in spending.known()] == ["s8", "s7", "s6", "s5", "s4"], "the fullest first"
    assert len(spending._said) == 5
    assert spending.ratios() == {("session", "day", "tokens"): 0.8}
    assert spending.status()[0] == {
        **{"budget": "session:* day 100 tokens", "scope": "session", "who": "s8", "period": "day"},
        **{"unit": "tokens", "limit": 100, "spent": 80, "held": 0, "resets": spending.known()[0].span.ends},
    }


# Many workers at once


type Call = tuple[int, int, int, bool]
"""Which worker, what it is estimated at, what it uses, whether its client leaves."""


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 60), st.booleans()), max_size=40))
def test_the_limit_is_passed_by_no_more_than_what_calls_use_beyond_their_estimates(calls: list[Call]) -> None:
    async def run() -> None:
        clocks = OneMoment()
        shared = Shared(clocks.unix)
        workers = [opened(clocks, DAY, shared) for _ in range(4)]
        beyond = []
        sent = []

        async def call(number: int, place: int, estimate: int, used: int, leaves: bool) -> None:
            exchange, worker = f"call {number}", workers[place]
            verdict = await reserve(worker, exchange, estimate)
            goes = verdict.spent is None and verdict.held is None
            if goes:
                sent.append(used)
                beyond.append(max(0, used - estimate))
                for _ in range(number % 4):
                    await asyncio.sleep(0)
                worker.over(exchange, is_sent=True) if leaves else None
                worker.hear(paid(exchange, used))
            worker.over(exchange, is_sent=goes)

        await asyncio.gather(*(call(number, *one) for number, one in enumerate(calls)))
        for worker in workers:
            await told(worker)
            assert not worker._held
            for task in (worker._keeper, worker._teller):
                if task is not None:
                    task.cancel()
        (standing,) = await shared.look([KEY])
        assert (standing.spent, standing.held) == (sum(sent), 0)
        alone = max(sent, default=0)  # the call that had the last of it to itself
        assert standing.spent <= 100 + sum(beyond) + alone

    asyncio.run(run())


async def test_redis_that_hangs_and_comes_back(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_store, "TIMEOUT", 0.1)
    client = redis_client(redis_server.url)
    clocks = Clocks()
    spending = Spending(clocks.unix, clocks.monotonic, asyncio.sleep)
    spending.use(budgets(DAY), SHANGHAI)
    spending.share(RedisCounters(client, clocks.unix))
    spending.hear(paid("a", 60))
    await told(spending)
    await reserve(spending, "b")
    redis_server.pause()
    spending.hear(paid("b", 30))
    spending.over("b", is_sent=True)
    assert (await reserve(spending, "c")).spent is None
    spending.hear(paid("c", 20))
    spending.over("c", is_sent=True)
    assert (await reserve(spending, "d")).spent.spent == 110
    redis_server.resume()
    clocks.move(FIRST_PAUSE)
    spending._guard.end_wait("writing")
    await told(spending)
    assert await standings(spending) == {KEY: (110, 0)}
    assert any("Store budgets" in message for message in caplog.messages)
    await spending.aclose()
    await client.aclose()
