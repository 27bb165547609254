from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.stores import Item, Memory
from tests.stores.standing import Time


@pytest.fixture
def time() -> Time:
    return Time()


def filled(time: Time, entries: int = 10, size: int = 10_000, keys: str = "abc") -> Memory:
    memory = Memory(entries, size, time)
    for key in keys:
        memory.keep(key, key.encode())
    return memory


def held(memory: Memory) -> str:
    return "".join(sorted(key for key, _ in memory.held("", 100)))


def test_least_recently_used_goes_first(time: Time) -> None:
    memory = filled(time, entries=3)
    memory.find("a")
    memory.keep("d", b"d")
    assert held(memory) == "acd"


def test_looking_through_is_no_use(time: Time) -> None:
    memory = filled(time, entries=3)
    memory.held("", 100)
    memory.keep("d", b"d")
    assert held(memory) == "bcd"


def test_bounded_in_bytes_of_keys_and_values(time: Time) -> None:
    memory = Memory(10, 2 * (1 + 6), time)
    for key in "abc":
        memory.keep(key, b"123456")
    assert held(memory) == "bc"


def test_what_is_too_large_alone_is_not_kept(time: Time) -> None:
    memory = filled(time, size=300)
    memory.keep("d", b"d" * 300)
    assert held(memory) == "abc"


def test_nor_is_what_it_would_have_replaced(time: Time) -> None:
    memory = filled(time, size=300)
    memory.keep("a", b"a" * 300)
    assert held(memory) == "bc"


@pytest.mark.parametrize("bounds", [(0, 1000), (10, 0)])
def test_a_bound_of_zero_keeps_nothing(time: Time, bounds: tuple[int, int]) -> None:
    assert held(filled(time, *bounds)) == ""


def test_it_lasts_and_tells_how_long(time: Time) -> None:
    memory = filled(time)
    memory.keep("u", b"u", 60.0)
    time.passes(59.5)
    assert memory.find("u") == Item(b"u", 0.5)
    assert memory.held("u", 1) == [("u", Item(b"u", 0.5))]
    time.passes(0.5)
    assert memory.find("u") is None
    assert memory.forget("u") == 0
    time.passes(1e9)
    assert held(memory) == "abc"


@pytest.mark.parametrize(("entries", "size", "left"), [(10, 500, "abcu"), (2, 10_000, "au"), (10, 4, "au"), (0, 0, "")])
def test_resize_keeps_the_most_recently_used(time: Time, entries: int, size: int, left: str) -> None:
    memory = filled(time)
    memory.keep("u", b"u", 60.0)
    memory.find("a")
    memory.resize(entries, size)
    assert held(memory) == left
    time.passes(60)
    assert memory.find("u") is None


def test_resize_drops_what_is_over(time: Time) -> None:
    memory = filled(time)
    memory.keep("u", b"u", 60.0)
    time.passes(61)
    memory.resize(3, 10_000)
    assert held(memory) == "abc"


def test_a_clock_that_goes_on_while_it_is_looked_at() -> None:
    """Nothing is found, or it is; nothing raises in the moment something expires."""
    ticks = iter(range(10_000))
    memory = Memory(10, 1000, lambda: float(next(ticks)))
    for lasts in range(1, 60):
        memory.keep("a", b"a", float(lasts))
        memory.find("a")
        memory.keep("a", b"a", float(lasts))
        memory.held("", 10)
        memory.keep("a", b"a", float(lasts))
        memory.forget("")


steps = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.sampled_from("abcdefgh"), st.binary(max_size=30)),
        st.tuples(st.just("find"), st.sampled_from("abcdefgh"), st.just(b"")),
        st.tuples(st.just("drop"), st.sampled_from("abcdefgh"), st.just(b"")),
    )
)


@given(steps, st.integers(0, 5), st.integers(0, 60))
def test_it_holds_exactly_what_was_used_last_and_fits(
    taken: list[tuple[str, str, bytes]], entries: int, size: int
) -> None:
    memory = Memory(entries, size, Time())
    model: OrderedDict[str, bytes] = OrderedDict()
    for step, key, value in taken:
        if step == "keep":
            memory.keep(key, value)
            model.pop(key, None)
            if 1 + len(value) <= size:
                model[key] = value
            while len(model) > entries or sum(1 + len(kept) for kept in model.values()) > size:
                model.popitem(last=False)
        elif step == "find":
            item = memory.find(key)
            assert (item.value if item else None) == model.get(key)
            if key in model:
                model.move_to_end(key)
        else:
            memory.drop(key)
            model.pop(key, None)
        assert memory.held("", 100) == [(key, Item(value)) for key, value in reversed(model.items())]
        assert len(memory) == len(model)
