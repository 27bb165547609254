"""Counters keep to one contract, wherever they are: in memory, in a file, in a real Redis; alone and side by side."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hunyuan_fix.budgets import memory
from hunyuan_fix.budgets.counters import MOST, Claim, Counters, Settlement, Standing, fits
from hunyuan_fix.budgets.memory import MemoryCounters
from hunyuan_fix.budgets.redis import RedisCounters
from hunyuan_fix.budgets.sqlite import SqliteCounters
from hunyuan_fix.stores import redis as redis_store
from hunyuan_fix.stores.redis import redis_client
from hunyuan_fix.stores.store import StoreError
from tests.redis_server import RedisServer

ENDS = time.time() + 3600
LASTS = 90.0

type Open = Callable[[], Counters]


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def open_counters(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Open]:
    """Opens counters in one place: each call is another worker (but in memory)."""
    opened: list[Counters] = []
    clients = []
    memory = MemoryCounters()
    url = ""
    if request.param == "redis":
        monkeypatch.setattr(redis_store, "TIMEOUT", 30.0)
        url = request.getfixturevalue("redis_server").url

    def open_one() -> Counters:
        made: Counters = memory
        if request.param == "sqlite":
            made = SqliteCounters(tmp_path / "budgets.sqlite3")
        elif request.param == "redis":
            clients.append(redis_client(url))
            made = RedisCounters(clients[-1])
        opened.append(made)
        return made

    yield open_one
    for made in opened:
        await made.aclose()
    for client in clients:
        await client.aclose()


@pytest.fixture
async def counters(open_counters: Open) -> Counters:
    return open_counters()


def claim(amount: int, limit: int = 100, key: str = "all:day:2026-11-29:tokens") -> Claim:
    return Claim(key, amount, limit, ENDS)


KEY = claim(0).key


def settled(id: str, spent: int = 0, released: tuple[str, ...] = (), key: str = KEY) -> Settlement:
    return Settlement(id, {key: (spent, ENDS)} if spent else {}, {name: [key] for name in released})


async def standing(counters: Counters, key: str = KEY) -> tuple[int, int]:
    (found,) = await counters.look([key])
    return found.spent, found.held


async def test_what_is_not_known_is_nothing(counters: Counters) -> None:
    assert await standing(counters) == (0, 0)
    assert await counters.look([]) == []


async def test_a_reservation_is_held_until_it_is_settled(counters: Counters) -> None:
    answer = await counters.reserve("a", [claim(60)], LASTS)
    assert (answer.is_taken, list(answer.standings)) == (True, [Standing(0, 0)])
    assert await standing(counters) == (0, 60)
    refused = await counters.reserve("b", [claim(41)], LASTS)
    assert (refused.is_taken, list(refused.standings)) == (False, [Standing(0, 60)])
    assert (await counters.reserve("c", [claim(40)], LASTS)).is_taken
    await counters.settle(settled("1", 25, ("a",)))
    assert await standing(counters) == (25, 40)


async def test_a_call_that_is_alone_may_use_what_is_left(counters: Counters) -> None:
    await counters.settle(settled("1", 99))
    assert (await counters.reserve("a", [claim(5000)], LASTS)).is_taken
    assert not (await counters.reserve("b", [claim(0)], LASTS)).is_taken
    await counters.settle(settled("2", 1, ("a",)))
    assert not (await counters.reserve("c", [claim(0)], LASTS)).is_taken, "now it is spent"


async def test_a_limit_of_nothing_lets_nothing_pass(counters: Counters) -> None:
    assert not (await counters.reserve("a", [claim(0, limit=0)], LASTS)).is_taken


async def test_all_claims_or_none(counters: Counters) -> None:
    other = claim(50, key="client:a:day:2026-11-29:tokens")
    await counters.settle(settled("1", 100, key=other.key))
    answer = await counters.reserve("a", [claim(10), other], LASTS)
    assert (answer.is_taken, list(answer.standings)) == (False, [Standing(0, 0), Standing(100, 0)])
    assert await standing(counters) == (0, 0)


async def test_the_same_question_has_the_same_answer(counters: Counters) -> None:
    for _ in range(3):
        answer = await counters.reserve("a", [claim(60)], LASTS)
        assert (answer.is_taken, list(answer.standings)) == (True, [Standing(0, 0)])
    assert await standing(counters) == (0, 60)


async def test_what_is_told_twice_counts_once(counters: Counters) -> None:
    if isinstance(counters, MemoryCounters):
        return  # nothing is told twice to what can't fail
    await counters.reserve("a", [claim(60)], LASTS)
    for _ in range(3):
        await counters.settle(settled("1", 25, ("a",)))
    assert await standing(counters) == (25, 0)
    await counters.settle(settled("2", 25))
    assert await standing(counters) == (50, 0)


async def test_a_reservation_expires_and_what_is_spent_stays(counters: Counters) -> None:
    await counters.settle(settled("1", 10))
    await counters.reserve("a", [claim(50)], 0.001)
    await counters.reserve("b", [claim(20)], LASTS)
    while (await standing(counters))[1] == 70:  # at once, but for Redis' own clock
        await asyncio.sleep(0)
    assert await standing(counters) == (10, 20)
    await counters.settle(settled("2", 5, ("a",)))
    assert await standing(counters) == (15, 20), "it settles all the same"


async def test_a_renewed_reservation_stays(counters: Counters) -> None:
    await counters.reserve("a", [claim(50)], 0.3)
    await counters.renew({"a": [KEY], "gone": [KEY]}, LASTS)
    await counters.reserve("b", [claim(1)], 0.001)
    while (await standing(counters))[1] != 50:
        await asyncio.sleep(0)
    assert await standing(counters) == (0, 50)


async def test_amounts_are_exact_past_what_a_double_holds(counters: Counters) -> None:
    large = 2**53 + 1
    await counters.settle(settled("1", large))
    await counters.settle(settled("2", 2))
    await counters.reserve("a", [claim(large, limit=MOST)], LASTS)
    assert await standing(counters) == (large + 2, large)
    await counters.settle(settled("3", 0, ("a",)))
    assert await standing(counters) == (large + 2, 0)


async def test_a_sum_does_not_overflow(counters: Counters) -> None:
    for number in range(3):
        await counters.settle(settled(str(number), 10**18 * 3))
    assert await standing(counters) == (MOST, 0)
    assert not (await counters.reserve("a", [claim(1, limit=10**18)], LASTS)).is_taken


async def test_a_reservation_of_nothing(counters: Counters) -> None:
    assert (await counters.reserve("a", [claim(0)], LASTS)).is_taken
    await counters.settle(settled("1", 0, ("a",)))
    assert await standing(counters) == (0, 0)


async def test_workers_share_a_counter(open_counters: Open) -> None:
    one, other = open_counters(), open_counters()
    await one.settle(settled("1", 30))
    await one.reserve("a", [claim(60)], LASTS)
    assert await standing(other) == (30, 60)
    assert not (await other.reserve("b", [claim(11)], LASTS)).is_taken


@asynccontextmanager
async def calls(workers: list[Counters], count: int, limit: int, chance: random.Random) -> AsyncIterator[list[int]]:
    """`count` calls over all workers at once, of which some are cancelled; yields what those that went have used."""
    used: list[int] = []

    async def call(number: int) -> None:
        counters, id = workers[number % len(workers)], f"call {number}"
        want = chance.randint(1, 40)
        answer = await counters.reserve(id, [claim(want, limit)], LASTS)
        if not answer.is_taken:
            return
        spent = 0 if chance.random() < 0.2 else chance.randint(1, want)
        if spent:
            used.append(spent)
        for _ in range(chance.randint(0, 3)):
            await asyncio.sleep(0)
        await counters.settle(settled(f"end of {number}", spent, (id,)))

    tasks = [asyncio.create_task(call(number)) for number in range(count)]
    await asyncio.gather(*tasks)
    yield used


@pytest.mark.parametrize("count", [40, 80])
async def test_many_calls_at_once_stay_within_the_limit(open_counters: Open, count: int) -> None:
    """Estimates are upper bounds here: so nothing is over the limit but by the call that had the last of it alone."""
    workers = [open_counters() for _ in range(3)]
    limit = 10 * count
    async with calls(workers, count, limit, random.Random(count)) as used:
        spent, held = await standing(workers[0])
        assert held == 0
        assert spent == sum(used) <= limit + 40


def test_what_fits() -> None:
    for spent, held, amount, taken in ((0, 0, 0, True), (0, 0, 500, True), (99, 0, 500, True), (100, 0, 0, False)):
        assert fits(claim(amount), Standing(spent, held)) is taken
    for spent, held, amount, taken in ((0, 1, 99, True), (0, 1, 100, False), (60, 40, 0, True), (61, 40, 0, False)):
        assert fits(claim(amount), Standing(spent, held)) is taken


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_COUNTERS", 20)
    counters = MemoryCounters()
    for number in range(30):
        await counters.settle(settled(str(number), 1, key=f"session:{number}:day:2026-11-29:tokens"))
    assert await standing(counters, "session:9:day:2026-11-29:tokens") == (0, 0)
    assert await standing(counters, "session:10:day:2026-11-29:tokens") == (1, 0)


async def test_memory_learns_what_a_store_says() -> None:
    counters = MemoryCounters()
    counters.learn(KEY, 70, ENDS)
    await counters.settle(settled("1", 5))
    counters.learn(KEY, 60, ENDS)
    assert await standing(counters) == (75, 0)


# The file


async def test_the_file_is_private_and_survives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "budgets.sqlite3"
    counters = SqliteCounters(path)
    await counters.settle(settled("1", 10))
    assert path.stat().st_mode & 0o777 == 0o600
    await counters.aclose()
    again = SqliteCounters(path)
    assert await standing(again) == (10, 0)
    await again.aclose()


async def test_another_program_s_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite3"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE things (a)")
    before = path.read_bytes()
    counters = SqliteCounters(path)
    with pytest.raises(StoreError, match="another program's database"):
        await counters.look([KEY])
    await counters.aclose()
    assert path.read_bytes() == before


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "budgets.sqlite3"
    counters = SqliteCounters(path)
    await counters.settle(settled("1", 10))
    await counters.aclose()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer version"):
        await SqliteCounters(path).look([KEY])


async def test_a_corrupt_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "budgets.sqlite3"
    path.write_bytes(b"no database" * 500)
    counters = SqliteCounters(path)
    await counters.settle(settled("1", 10))
    assert await standing(counters) == (10, 0)
    await counters.aclose()
    assert len(list(tmp_path.glob("budgets.sqlite3.corrupt-*"))) == 1


async def test_a_file_that_is_gone_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "budgets.sqlite3"
    counters = SqliteCounters(path)
    await counters.settle(settled("1", 10))
    path.unlink()
    await counters.settle(settled("2", 3))
    assert await standing(counters) == (3, 0)
    await counters.aclose()


async def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        await SqliteCounters(tmp_path / "file" / "budgets.sqlite3").look([KEY])


async def test_old_counters_are_deleted(tmp_path: Path) -> None:
    now = [time.time()]
    counters = SqliteCounters(tmp_path / "budgets.sqlite3", lambda: now[0])
    await counters.settle(Settlement("1", {"old": (5, now[0] + 10)}, {}))
    now[0] += 86_400
    await counters.settle(settled("2", 1))
    assert (await counters.look(["old"]))[0].spent == 5, "a call that began in it may settle yet"
    now[0] += 20
    await counters.settle(settled("3", 1))
    assert (await counters.look(["old"]))[0].spent == 0
    await counters.aclose()


# Redis


async def test_what_redis_keeps_goes_a_day_after_its_own(redis_server: RedisServer) -> None:
    client = redis_client(redis_server.url)
    counters = RedisCounters(client)
    await counters.reserve("a", [claim(5)], LASTS)
    await counters.settle(settled("1", 5))
    keys = sorted(await client.keys("*"))
    assert [key.partition(b":")[0] for key in keys] == [b"hunyuan-fix"] * len(keys)
    day = 86_400
    for key in keys:
        left = await client.ttl(key)
        assert 0 < left <= (3600 if b":settled:" in key else day + 3600)
        assert b":settled:" in key or left > day
    await client.aclose()


async def test_a_redis_that_is_gone_is_an_error(redis_server: RedisServer) -> None:
    client = redis_client(redis_server.url)
    redis_server.stop()
    with pytest.raises(StoreError):
        await RedisCounters(client).reserve("a", [claim(5)], LASTS)
    await client.aclose()


async def test_workers_that_make_the_file_at_the_same_moment(tmp_path: Path) -> None:
    """None may take a file whose tables another one is just making for another program's."""
    for number in range(20):
        workers = [SqliteCounters(tmp_path / f"{number}.sqlite3") for _ in range(6)]
        await asyncio.gather(*(worker.look([KEY]) for worker in workers))
        await asyncio.gather(*(worker.aclose() for worker in workers))
