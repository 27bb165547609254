"""What is kept: by caller, within its bounds, and the same for all workers of one store."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.kept import KeepSettings, answers
from hunyuan_fix.kept.answers import Conversation, KeptAnswer, KeptAnswers, NotKept, TooLong
from hunyuan_fix.stores import Chain, Memory
from hunyuan_fix.stores.sqlite import Sqlite

ADA, BOB = b"a" * 16, b"b" * 16
LIMIT = 1 << 20


def kept_answers(**given: Any) -> KeptAnswers:
    return KeptAnswers(dataclasses.replace(KeepSettings(), **given))


def turn(before: str = "", said: str = "hi") -> KeptAnswer:
    return KeptAnswer(before, f'["{said}"]'.encode(), b'{"output":[]}')


async def test_turns_come_in_their_order() -> None:
    kept = kept_answers()
    kept.keep(ADA, "resp_1", turn(said="one"))
    kept.keep(ADA, "resp_2", turn("resp_1", "two"))
    kept.keep(ADA, "resp_3", turn("resp_1", "other"))
    assert [one.input for one in await kept.history(ADA, "resp_2", LIMIT)] == [b'["one"]', b'["two"]']
    assert [one.input for one in await kept.history(ADA, "resp_3", LIMIT)] == [b'["one"]', b'["other"]']
    assert await kept.history(ADA, "", LIMIT) == []


async def test_a_turn_that_is_missing_is_named() -> None:
    kept = kept_answers()
    kept.keep(ADA, "resp_2", turn("resp_1"))
    with pytest.raises(NotKept) as raised:
        await kept.history(ADA, "resp_2", LIMIT)
    assert raised.value.id == "resp_1"


async def test_a_conversation_is_as_long_as_may_be_read() -> None:
    kept = kept_answers()
    ids = [f"resp_{number}" for number in range(answers.TURNS + 1)]
    for before, id in zip(["", *ids], ids, strict=False):
        kept.keep(ADA, id, turn(before))
    assert len(await kept.history(ADA, ids[-2], LIMIT)) == answers.TURNS
    with pytest.raises(TooLong, match="1000 answers"):
        await kept.history(ADA, ids[-1], LIMIT)
    size = turn().size
    assert len(await kept.history(ADA, ids[1], 2 * size)) == 2
    with pytest.raises(TooLong, match=f"{2 * size - 1} bytes"):
        await kept.history(ADA, ids[1], 2 * size - 1)


async def test_a_circle_that_another_has_written_ends() -> None:
    kept = kept_answers()
    kept.keep(ADA, "resp_1", turn("resp_2"))
    kept.keep(ADA, "resp_2", turn("resp_1"))
    with pytest.raises(TooLong):
        await kept.history(ADA, "resp_2", LIMIT)


async def test_what_is_too_large_is_not_kept_and_the_rest_has_its_bound() -> None:
    kept = kept_answers(keep_bytes=8000)
    assert kept.largest == 1000
    fits = KeptAnswer("", b"x" * 998, b"{}")
    assert kept.keep(ADA, "resp_0", fits)
    assert not kept.keep(ADA, "resp_x", KeptAnswer("", b"x" * 999, b"{}"))
    assert await kept.answer(ADA, "resp_x") is None
    for number in range(20):
        kept.keep(ADA, f"resp_{number}", fits)
    assert await kept.answer(ADA, "resp_0") is None, "the least recently used goes first"
    assert await kept.answer(ADA, "resp_19") == fits


async def test_nothing_outlives_its_time() -> None:
    now = [0.0]
    kept = KeptAnswers(dataclasses.replace(KeepSettings(), keep_ttl=60.0), Chain(Memory(100, 10_000, lambda: now[0])))
    kept.keep(ADA, "resp_1", turn(), items=["msg_1"])
    kept.keep_conversation(ADA, "conv_1", Conversation(1))
    now[0] = 59
    assert await kept.answer(ADA, "resp_1")
    assert await kept.conversation(ADA, "conv_1")
    now[0] = 61
    assert await kept.answer(ADA, "resp_1") is None
    assert await kept.conversation(ADA, "conv_1") is None
    assert await kept.answers_with(ADA, ["msg_1"], LIMIT) == []


async def test_two_answers_of_a_conversation_at_the_same_time_are_both_in_it() -> None:
    kept = kept_answers()
    kept.keep_conversation(ADA, "conv_1", Conversation(1))
    read = await kept.conversation(ADA, "conv_1")
    assert read is not None
    kept.continue_conversation(ADA, "resp_1", turn(said="one"), to=("conv_1", read))
    kept.continue_conversation(ADA, "resp_2", turn(said="two"), to=("conv_1", read))
    now = await kept.conversation(ADA, "conv_1")
    assert now is not None
    assert [one.input for one in await kept.history(ADA, now.last, LIMIT)] == [b'["one"]', b'["two"]']


async def test_a_conversation_that_had_to_make_room_goes_on() -> None:
    """Its answer took longer than its place in memory lasted."""
    kept = kept_answers(keep_bytes=8000)
    kept.keep_conversation(ADA, "conv_1", Conversation(1, {"topic": "a"}))
    read = await kept.conversation(ADA, "conv_1")
    assert read is not None
    for number in range(20):
        kept.keep(ADA, f"resp_{number}", KeptAnswer("", b"x" * 900, b"{}"))
    assert await kept.conversation(ADA, "conv_1") is None
    assert kept.continue_conversation(ADA, "resp_x", turn(), to=("conv_1", read))
    assert await kept.conversation(ADA, "conv_1") == Conversation(1, {"topic": "a"}, "resp_x")


async def forgetting_all(kept: KeptAnswers) -> None:
    kept.forget_all()


async def forgetting_hers(kept: KeptAnswers) -> None:
    kept.forget_caller(ADA)


async def forgetting_it(kept: KeptAnswers) -> None:
    assert await kept.forget_id("conv_1")


async def deleting_it(kept: KeptAnswers) -> None:
    kept.delete_conversation(ADA, "conv_1")


@pytest.mark.parametrize("deleted", [forgetting_all, forgetting_hers, forgetting_it, deleting_it])
async def test_a_conversation_that_is_deleted_meanwhile_stays_deleted(
    deleted: Callable[[KeptAnswers], Awaitable[None]],
) -> None:
    kept = kept_answers()
    kept.keep_conversation(ADA, "conv_1", Conversation(1))
    read = await kept.conversation(ADA, "conv_1")
    assert read is not None
    await deleted(kept)
    assert kept.continue_conversation(ADA, "resp_1", turn(), to=("conv_1", read))
    assert await kept.conversation(ADA, "conv_1") is None
    assert await kept.answer(ADA, "resp_1")


async def test_items_lead_to_their_answers_once() -> None:
    kept = kept_answers()
    kept.keep(ADA, "resp_1", turn(), items=["msg_1", "rs_1"])
    kept.keep(ADA, "resp_2", turn("resp_1"), items=["msg_2"])
    assert await kept.answers_with(ADA, ["rs_1", "msg_1", "msg_none"], LIMIT) == [turn()]
    assert await kept.answers_with(ADA, ["msg_1", "msg_2"], LIMIT) == [turn(), turn("resp_1")]
    assert await kept.answers_with(BOB, ["msg_1"], LIMIT) == []
    kept.delete(ADA, "resp_1")
    assert await kept.answers_with(ADA, ["msg_1"], LIMIT) == []


async def test_items_lead_to_no_more_bytes_than_may_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = kept_answers()
    items = [f"msg_{number}" for number in range(50)]
    for item in items:
        kept.keep(ADA, f"resp_{item}", turn(), items=[item])
    limit = 50 * turn().size
    assert len(await kept.answers_with(ADA, items, limit)) == 50
    read: list[str] = []
    answer = kept.answer

    async def counted(caller: bytes, id: str) -> KeptAnswer | None:
        read.append(id)
        return await answer(caller, id)

    monkeypatch.setattr(kept, "answer", counted)
    with pytest.raises(TooLong, match="10 bytes"):
        await kept.answers_with(ADA, items, 10)
    assert len(read) < 50, "the rest is not read"


async def test_forgetting() -> None:
    kept = kept_answers()
    for caller in (ADA, BOB):
        for id in ("resp_1", "resp_2"):
            kept.keep(caller, id, turn(), items=["msg_1"])
    kept.keep_conversation(ADA, "conv_1", Conversation(1))
    assert kept.forget_caller(ADA) == 2
    assert not [name for name, _ in kept.chain.memory.held("", 100) if f":{ADA.hex()}" in name], "nor its items"
    assert await kept.answer(ADA, "resp_1") is None
    assert await kept.conversation(ADA, "conv_1") is None
    assert await kept.answer(BOB, "resp_1")
    assert await kept.forget_id("resp_1")
    assert not await kept.forget_id("resp_none")
    assert await kept.answer(BOB, "resp_1") is None
    assert await kept.answer(BOB, "resp_2")
    kept.keep_conversation(BOB, "conv_2", Conversation(1))
    assert await kept.forget_id("conv_2")
    assert await kept.conversation(BOB, "conv_2") is None
    assert kept.forget_all() == 1
    assert len(kept.chain.memory) == 0


async def test_off_keeps_nothing_and_forgets_what_was() -> None:
    kept = kept_answers()
    kept.keep(ADA, "resp_1", turn())
    kept.configure(dataclasses.replace(KeepSettings(), keep="off"))
    assert len(kept.chain.memory) == 0
    assert not kept.keep(ADA, "resp_2", turn())
    assert await kept.answer(ADA, "resp_2") is None


@pytest.mark.parametrize("data", [b"", b"\n\n", b"1\n[]\n{}", b'""\n[]', b'""\n[]\n{}\n'])
async def test_what_is_no_answer_in_the_store_is_none(data: bytes) -> None:
    kept = kept_answers()
    kept.keep(ADA, "resp_1", turn())
    (key, _), *_ = kept.chain.memory.held("answer:", 1)
    kept.chain.put(key, data)
    assert await kept.answer(ADA, "resp_1") is None


@pytest.mark.parametrize("data", [b"", b"[]", b'{"created_at":"x","metadata":{},"last":""}', b'{"created_at":1}'])
async def test_what_is_no_conversation_in_the_store_is_none(data: bytes) -> None:
    kept = kept_answers()
    kept.keep_conversation(ADA, "conv_1", Conversation(1))
    (key, _), *_ = kept.chain.memory.held("conversation:", 1)
    kept.chain.put(key, data)
    assert await kept.conversation(ADA, "conv_1") is None


async def test_no_id_and_no_key_stands_in_a_store() -> None:
    kept = kept_answers()
    kept.keep(ADA, "resp_1", turn(), items=["msg_1"])
    kept.keep_conversation(ADA, "conv_1", Conversation(1))
    names = [key for key, _ in kept.chain.memory.held("", 100)]
    assert len(names) == 5  # the answer, its item, the conversation, and two callers
    assert not any(id in name for name in names for id in ("resp_", "conv_", "msg_"))


# Several workers


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[list[KeptAnswers]]:
    """Two, with one SQLite file."""
    settings = dataclasses.replace(KeepSettings(), keep="store")
    made = [KeptAnswers(settings, Chain(Memory(1000, LIMIT), [Sqlite(tmp_path / "store", 1 << 24)])) for _ in "12"]
    yield made
    for each in made:
        await each.chain.aclose()


async def test_workers_of_one_store_have_the_same(workers: list[KeptAnswers]) -> None:
    one, two = workers
    one.keep(ADA, "resp_1", turn(said="one"), items=["msg_1"])
    assert await two.answer(ADA, "resp_1") == turn(said="one"), "though it is written after the answer has left"
    two.keep(ADA, "resp_2", turn("resp_1", "two"))
    assert len(await one.history(ADA, "resp_2", LIMIT)) == 2
    assert await two.answers_with(ADA, ["msg_1"], LIMIT) == [turn(said="one")]
    two.delete(ADA, "resp_1")
    await two.chain.flush()
    assert await one.answer(ADA, "resp_1") is None, "though its memory has it"


async def test_a_conversation_goes_from_worker_to_worker(workers: list[KeptAnswers]) -> None:
    one, two = workers
    one.keep_conversation(ADA, "conv_1", Conversation(1))
    for number, worker in enumerate((one, two, one, two, two, one)):
        read = await worker.conversation(ADA, "conv_1")
        assert read is not None
        worker.continue_conversation(ADA, f"resp_{number}", turn(said=str(number)), to=("conv_1", read))
        await worker.chain.flush()
    for worker in workers:
        read = await worker.conversation(ADA, "conv_1")
        assert read is not None
        said = [one.input for one in await worker.history(ADA, read.last, LIMIT)]
        assert said == [f'["{number}"]'.encode() for number in range(6)]
