from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.stores import backlog
from hunyuan_fix.stores.backlog import Backlog, Clear, Delete, Put, Write


def drained(waiting: Backlog) -> list[Write]:
    taken = []
    while write := waiting.first():
        taken.append(write)
        waiting.done(write)
    return taken


def test_in_order_and_the_last_word_on_a_key() -> None:
    waiting = Backlog()
    writes: list[Write] = [Put("a", b"1", None), Put("b", b"2", None), Put("a", b"3", None), Delete("b")]
    for write in writes:
        waiting.add(write)
    assert len(waiting) == 2
    assert drained(waiting) == writes[2:]
    assert len(waiting) == 0


def test_what_is_not_done_is_still_first() -> None:
    waiting = Backlog()
    waiting.add(first := Put("a", b"1", None))
    waiting.add(Put("b", b"2", None))
    assert waiting.first() is waiting.first() is first


def test_what_came_meanwhile_is_not_done() -> None:
    waiting = Backlog()
    for old, new in ((Put("a", b"1", None), Put("a", b"1", None)), (Clear("a"), Clear("a"))):
        waiting.add(old)
        waiting.add(new)
        waiting.done(old)
        assert waiting.first() is new
        waiting.done(new)
    assert len(waiting) == 0


def test_clearing_overtakes_what_it_concerns() -> None:
    waiting = Backlog()
    waiting.add(Put("x:a", b"1", None))
    waiting.add(other := Put("y:a", b"2", None))
    waiting.add(clear := Clear("x:"))
    waiting.add(later := Put("x:b", b"3", None))
    assert waiting.concerning("x:a") is clear
    assert waiting.concerning("x:b") is later
    assert waiting.concerning("y:a") is other
    assert waiting.concerning("z") is None
    assert drained(waiting) == [clear, other, later]


def test_abandoned() -> None:
    waiting = Backlog()
    waiting.add(Put("a", b"1", None))
    waiting.add(Clear("b"))
    assert (waiting.abandon(), waiting.dropped, len(waiting), waiting.first()) == (2, 2, 0, None)


def test_the_oldest_are_dropped_when_there_are_too_many() -> None:
    waiting = Backlog()
    for number in range(backlog.WRITES_MAX + 3):
        waiting.add(Put(str(number), b"", None))
    assert (len(waiting), waiting.dropped) == (backlog.WRITES_MAX, 3)
    first = waiting.first()
    assert isinstance(first, Put) and first.key == "3"


MOST = 3000


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, MOST // 3) | st.just(MOST + 1))))
def test_bytes_are_bounded_and_counted_right(puts: list[tuple[int, int]]) -> None:
    waiting = Backlog()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(backlog, "BYTES_MAX", MOST)
        for number, length in puts:
            waiting.add(Put(str(number), bytes(length), None))
            held = [write for number in range(10) if isinstance(write := waiting.concerning(str(number)), Put)]
            assert sum(1 + len(write.value) for write in held) <= MOST
            assert len(held) == len(waiting)
        drained(waiting)
        # counted right: there is room for the most again
        before = waiting.dropped
        waiting.add(Put("k", bytes(MOST - 1), None))
        assert (len(waiting), waiting.dropped) == (1, before)
