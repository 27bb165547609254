"""What is kept of thoughts: found by the right turn, within its bounds, the same for all workers of one store."""

from __future__ import annotations

import asyncio
import dataclasses
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.kept import KeepSettings, histories
from hunyuan_fix.kept import reasoning as memory
from hunyuan_fix.kept.reasoning import KeptReasoning, Thought
from hunyuan_fix.kept.turns import Conversation, Keys
from hunyuan_fix.stores import Chain, Memory
from hunyuan_fix.stores.redis import Redis
from hunyuan_fix.stores.sqlite import Sqlite
from hunyuan_fix.stores.store import Store
from tests.redis_server import RedisServer
from tests.remembering import ADA, BOB, Json, call, result, said, user


def kept(chain: Chain | None = None, **given: Any) -> KeptReasoning:
    settings = dataclasses.replace(KeepSettings(), **given)
    return KeptReasoning(settings, chain or Chain(Memory(50_000, settings.keep_bytes)))


def keys(before: list[Json], turn: Json) -> Keys:
    """The keys of an answer."""
    made = histories.of_chat(before).answered(histories.text_in(turn.get("content")), histories.calls_in(turn))
    assert made is not None
    return made


def read(*messages: Json) -> Conversation:
    return histories.of_chat(list(messages))


async def texts(reasoning: KeptReasoning, *messages: Json, caller: bytes = ADA, newest: bool = False) -> list[str]:
    """What is found for the messages of a history that lack their thoughts."""
    found = await reasoning.found(caller, read(*messages).turns, newest=newest)
    return [thought.text for _, thought in sorted(found.items())]


ASKED = user("list")
TURN = said(None, call())
"""By an id that is a count."""
OWN = said(None, call(id="call_a1b2c3"))
"""By an id that no other call has."""


async def test_the_nearest_digest_counts() -> None:
    reasoning = kept()
    for text, before in [("here", [ASKED]), ("there", [user("another"), said("x"), ASKED])]:
        reasoning.keep(ADA, keys(before, TURN), Thought(text))
    assert await texts(reasoning, ASKED, TURN) == ["here"]
    assert await texts(reasoning, user("another"), said("x"), ASKED, TURN) == ["there"]
    assert await texts(reasoning, user("a third"), said("y"), ASKED, TURN) == [], "two thoughts, and none is the right"


async def test_the_same_thought_twice_is_one() -> None:
    reasoning = kept()
    for before in ([ASKED], [user("another"), said("x"), ASKED]):
        reasoning.keep(ADA, keys(before, OWN), Thought("same"))
    assert await texts(reasoning, user("a third"), OWN) == ["same"]


async def test_the_last_thought_of_the_same_turn_counts() -> None:
    reasoning = kept()
    for text in ("first", "second"):
        reasoning.keep(ADA, keys([ASKED], TURN), Thought(text))
    assert await texts(reasoning, ASKED, TURN) == ["second"]
    # Under a system text that is written anew each time it is as good as the same turn.
    assert await texts(reasoning, {"role": "system", "content": "noon"}, ASKED, said(None, call(id="x"))) == ["second"]


async def test_what_was_found_once_stays_found() -> None:
    reasoning = kept()
    reasoning.keep(ADA, keys([ASKED], OWN), Thought("mine"))
    moved = (user("summary"), OWN, result())
    assert await texts(reasoning, *moved) == ["mine"]
    reasoning.keep(ADA, keys([user("quite"), said("another"), user("one")], OWN), Thought("other"))
    assert await texts(reasoning, *moved) == ["mine"], "although its call has two thoughts now"
    assert await texts(reasoning, user("later"), OWN, result()) == []


async def test_a_digest_that_two_turns_of_a_history_have_says_nothing() -> None:
    """A worker that doesn't know the later turn yet must not take the thought of the earlier one for it."""
    reasoning = kept()
    reasoning.keep(ADA, keys([ASKED], OWN), Thought("first"))
    assert await texts(reasoning, user("summary"), OWN, result()) == ["first"]
    assert await texts(reasoning, user("more"), OWN, result(), OWN, result()) == []
    assert await texts(reasoning, ASKED, OWN, result(), OWN, result()) == ["first"]


async def test_a_count_for_an_id_is_another_conversations_too() -> None:
    """Of a conversation that was forgotten, another one's thoughts for the same short call aren't its own."""
    reasoning = kept()
    reasoning.keep(ADA, keys([user("one task"), said("x"), ASKED], TURN), Thought("of one task"))
    assert await texts(reasoning, user("another task"), said("y"), user("go"), TURN, result()) == []
    assert await texts(reasoning, user("one task"), said("cleared"), user("go"), TURN, result()) == ["of one task"]


async def test_neighbours_are_one_turn_or_several() -> None:
    one, two = call("Bash", id="call_1"), call("Read", id="call_2")
    reasoning = kept()
    reasoning.keep(ADA, keys([ASKED], said("I look.", one, two)), Thought("of both"))
    apart = [said("I look."), said(None, {**one, "id": "x"}), said(None, {**two, "id": "y"})]
    assert await texts(reasoning, ASKED, *apart) == ["of both", "of both"], "each call has it"

    reasoning = kept()
    reasoning.keep(ADA, keys([ASKED], said(None, one)), Thought("first"))
    reasoning.keep(ADA, keys([ASKED, said(None, one), result()], said(None, two)), Thought("second"))
    assert await texts(reasoning, ASKED, said(None, one), said(None, two)) == ["first", "second"], "a result is gone"


async def test_callers_are_apart() -> None:
    reasoning = kept()
    reasoning.keep(ADA, keys([ASKED], TURN), Thought("ada's"))
    assert await texts(reasoning, ASKED, TURN, caller=BOB) == []
    reasoning.keep(BOB, keys([ASKED], TURN), Thought("bob's"))
    assert await texts(reasoning, ASKED, TURN) == ["ada's"]
    assert reasoning.forget_caller(ADA) == 1
    assert not [name for name, _ in reasoning._chain.memory.held("", 100) if ADA.hex() in name]
    assert await texts(reasoning, ASKED, TURN) == []
    assert await texts(reasoning, ASKED, TURN, caller=BOB) == ["bob's"]
    assert reasoning.forget_all() == 1
    assert await texts(reasoning, ASKED, TURN, caller=BOB) == []


async def test_forgotten_by_the_id_of_the_answer() -> None:
    reasoning = kept()
    reasoning.keep(ADA, keys([ASKED], TURN), Thought("one"), ["chatcmpl-1", "msg_1"])
    reasoning.keep(ADA, keys([ASKED], said("x")), Thought("two"), ["chatcmpl-2"])
    reasoning.keep(BOB, keys([ASKED], TURN), Thought("three"), ["chatcmpl-2"])
    assert await reasoning.forget_id("msg_1")
    assert await texts(reasoning, ASKED, TURN) == []
    assert await texts(reasoning, ASKED, said("x")) == ["two"]
    assert await reasoning.forget_id("chatcmpl-2"), "two answers have this id"
    assert await texts(reasoning, ASKED, said("x")) == await texts(reasoning, ASKED, TURN, caller=BOB) == []
    assert not await reasoning.forget_id("msg_1")


async def test_what_is_too_large_is_not_kept_and_the_rest_has_its_bound() -> None:
    reasoning = kept(keep_bytes=80_000)
    assert reasoning.largest == 10_000
    assert not reasoning.keep(ADA, keys([ASKED], TURN), Thought("x" * 10_000))
    assert await texts(reasoning, ASKED, TURN) == []
    for number in range(20):
        assert reasoning.keep(ADA, keys([user(f"{number}")], TURN), Thought(f"{number}" + "x" * 9000))
    assert await texts(reasoning, user("0"), TURN) == [], "the least recently used goes first"
    assert await texts(reasoning, user("19"), TURN) == ["19" + "x" * 9000]


async def test_off_keeps_nothing() -> None:
    reasoning = kept(keep="off")
    assert not reasoning.keep(ADA, keys([ASKED], TURN), Thought("x"))
    assert await texts(reasoning, ASKED, TURN) == []


async def test_it_ends_with_its_time() -> None:
    now = [0.0]
    reasoning = kept(Chain(Memory(100, 10**6, clock=lambda: now[0])), keep_ttl=10.0)
    reasoning.keep(ADA, keys([ASKED], TURN), Thought("x"))
    now[0] = 9.0
    assert await texts(reasoning, ASKED, TURN) == ["x"]
    now[0] = 11.0
    assert await texts(reasoning, ASKED, TURN) == []


async def test_only_the_last_turns_of_a_long_history_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MOST_TURNS", 2)
    reasoning = kept()
    history: list[Json] = []
    for number in range(4):
        history.append(user(f"{number}"))
        reasoning.keep(ADA, keys(history, TURN), Thought(f"{number}"))
        history.append(TURN)
    assert await texts(reasoning, *history) == ["2", "3"]


# Stores


@asynccontextmanager
async def worker(*stores: Store) -> AsyncIterator[KeptReasoning]:
    chain = Chain(Memory(1000, 10**6), stores)
    yield kept(chain, keep="store")
    await chain.aclose()


async def test_a_restart_loses_nothing_under_store(tmp_path: Path) -> None:
    thought = Thought(
        "I think\n\ud800 of it".replace("\ud800", "\ufffd"), "host", "kimi-k2.6", ({"type": "thinking", "at": 0},)
    )
    async with worker(Sqlite(tmp_path / "store", 10**6)) as before:
        before.keep(ADA, keys([ASKED], TURN), thought)
    async with worker(Sqlite(tmp_path / "store", 10**6)) as after:
        found = await after.found(ADA, read(ASKED, TURN).turns, newest=True)
        assert list(found.values()) == [thought]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in tmp_path.rglob("store*") if file.is_file())


async def test_workers_of_one_redis_have_the_same_thoughts(redis_server: RedisServer) -> None:
    async with worker(Redis(redis_server.url)) as one, worker(Redis(redis_server.url)) as two:
        history: list[Json] = []
        for number in range(30):
            history.append(user(f"{number}"))
            answering = (one, two)[number % 2]
            answering.keep(ADA, keys(history, TURN), Thought(f"{number}"))
            await answering._chain.written()
            history.append(TURN)
            asked = (two, one)[number % 2]
            assert (await texts(asked, *history, newest=True))[-1:] == [f"{number}"]
        assert await texts(one, *history) == await texts(two, *history) == [f"{number}" for number in range(30)]
        one.forget_all()
        await one._chain.written()


async def test_what_another_worker_has_kept_just_now_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Memory(1000, 10**6)
    async with worker(store) as one, worker(store) as two:
        two.keep(ADA, keys([ASKED], TURN), Thought("of an earlier turn"))
        waited: list[float] = []

        async def until_written(seconds: float) -> None:
            waited.append(seconds)
            one.keep(ADA, keys([ASKED, TURN, result()], TURN), Thought("now"))
            await one._chain.written()

        monkeypatch.setattr("hunyuan_fix.kept.reasoning.asyncio.sleep", until_written)
        history = (ASKED, {**TURN, "reasoning_content": "here"}, result(), TURN)
        assert await texts(two, *history, newest=True) == ["now"]
        assert await texts(two, *history, newest=True) == ["now"]
        assert waited == [memory._WRITING], "once it is known nothing is waited for"


async def test_an_unknown_turn_is_asked_for_once_a_minute() -> None:
    class Counting(Memory):
        asked = 0

        async def get(self, key: str) -> Any:
            self.asked += 1
            return await super().get(key)

    store = Counting(100, 10**6)
    async with worker(store) as reasoning:
        history = [user("a"), TURN, result(), said(None, call("Read")), result()]
        assert await texts(reasoning, *history) == []
        first = store.asked
        assert first
        assert await texts(reasoning, *history) == []
        assert store.asked == first
        # What is kept meanwhile is found all the same.
        reasoning.keep(ADA, keys([user("a")], TURN), Thought("x"))
        assert await texts(reasoning, *history) == ["x"]


async def test_the_newest_turn_is_always_asked_for() -> None:
    store = Memory(1000, 10**6)
    async with worker(store) as one, worker(store) as two:
        assert await texts(two, ASKED, TURN) == []
        one.keep(ADA, keys([ASKED], TURN), Thought("x"))
        await one._chain.written()
        assert await texts(two, ASKED, TURN) == []
        assert await texts(two, ASKED, TURN, newest=True) == ["x"]


async def test_a_store_with_other_bytes_raises_nothing() -> None:
    store = Memory(1000, 10**6)
    async with worker(store) as reasoning:
        reasoning.keep(ADA, keys([ASKED], TURN), Thought("x"))
        await reasoning._chain.flush()
        names = [name for name, _ in store.held("", 100)]
    assert len(names) >= 4
    for data in (b"", b"x" * 7, b"[]", b"{}", b"\xff" * 16):
        for name in names:
            store.keep(name, data)
        async with worker(store) as reasoning:
            assert await texts(reasoning, ASKED, TURN) == []
            assert not await reasoning.forget_id("x")


async def test_a_hundred_at_once() -> None:
    reasoning = kept()

    async def one(number: int) -> None:
        reasoning.keep(ADA, keys([user(f"{number}")], TURN), Thought(f"{number}"))
        await asyncio.sleep(0)
        assert await texts(reasoning, user(f"{number}"), TURN) == [f"{number}"]

    await asyncio.gather(*map(one, range(100)))
