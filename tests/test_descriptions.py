from __future__ import annotations

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.descriptions import FAILURE_LASTS, CallGone, Description, Descriptions, Failure, SingleFlight

FAILURE = Failure("refused")


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def key(name: str) -> bytes:
    return name.encode().ljust(32, b"\0")


def filled(clock: Clock, entries: int = 10, size: int = 10_000, names: str = "abc") -> Descriptions:
    known = Descriptions(entries, size, clock)
    for name in names:
        known.put(key(name), Description(name))
    return known


def held(known: Descriptions, names: str) -> str:
    return "".join(name for name in names if known.get(key(name)))


def test_least_recently_used_goes_first(clock: Clock) -> None:
    known = filled(clock, entries=3)
    known.get(key("a"))
    known.put(key("d"), Description("d"))
    assert held(known, "abcd") == "acd"


def test_bounded_in_bytes_of_keys_and_texts(clock: Clock) -> None:
    known = Descriptions(10, 2 * (32 + 6), clock)
    for name in "abc":
        known.put(key(name), Description("图图"))  # 6 bytes
    assert held(known, "abc") == "bc"


def test_what_is_too_large_alone_is_not_kept(clock: Clock) -> None:
    known = filled(clock, size=300)
    known.put(key("d"), Description("d" * 300))
    assert held(known, "abcd") == "abc"


@pytest.mark.parametrize("bounds", [(0, 1000), (10, 0)])
def test_a_bound_of_zero_keeps_nothing(clock: Clock, bounds: tuple[int, int]) -> None:
    assert held(filled(clock, *bounds), "abc") == ""


def test_description_lasts(clock: Clock) -> None:
    known = filled(clock)
    known.put(key("url"), Description("u"), 60.0)
    clock.time += 59.9
    assert known.get(key("url"))
    clock.time += 0.1
    assert known.get(key("url")) is None
    clock.time += 1e9
    assert held(known, "abc") == "abc"


@pytest.mark.parametrize(("asked", "lasts"), [(float("inf"), FAILURE_LASTS), (60.0, 60.0)])
def test_failure_lasts_an_hour_at_most(clock: Clock, asked: float, lasts: float) -> None:
    known = Descriptions(10, 1000, clock)
    known.put(key("f"), FAILURE, asked)
    clock.time += lasts - 1
    assert known.get(key("f")) == FAILURE
    clock.time += 1
    assert known.get(key("f")) is None


@pytest.mark.parametrize(
    ("entries", "size", "left"), [(10, 500, "abcu"), (2, 10_000, "au"), (10, 2 * 33, "au"), (0, 0, "")]
)
def test_resize_keeps_the_most_recently_used(clock: Clock, entries: int, size: int, left: str) -> None:
    known = filled(clock)
    known.put(key("u"), Description("u"), 60.0)
    known.get(key("a"))
    known.resize(entries, size)
    assert held(known, "abcu") == left
    clock.time += 60
    assert known.get(key("u")) is None


def test_resize_drops_what_is_over(clock: Clock) -> None:
    known = filled(clock)
    known.put(key("u"), Description("u"), 60.0)
    clock.time += 61
    known.resize(3, 10_000)
    assert held(known, "abcu") == "abc"


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.text(max_size=30))), st.integers(0, 5), st.integers(0, 200))
def test_bounds_hold(puts: list[tuple[str, str]], entries: int, size: int) -> None:
    known = Descriptions(entries, size, Clock())
    for name, text in puts:
        known.put(key(name), Description(text))
        found = [known.get(key(name)) for name in "abcdefgh"]
        texts = [finding.text for finding in found if isinstance(finding, Description)]
        assert len(texts) <= entries
        assert sum(32 + len(text.encode()) for text in texts) <= size


@pytest.fixture(params=[None, asyncio.eager_task_factory], ids=["lazy", "eager"])
async def tasks(request: pytest.FixtureRequest) -> None:
    asyncio.get_running_loop().set_task_factory(request.param)


class Call:
    """A call that ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.end = asyncio.Event()
        self.fails = False

    async def __call__(self) -> str:
        self.begun += 1
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fails:
            raise ValueError("the call's own")
        return "done"


async def turn() -> None:
    """Let every task run as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.usefixtures("tasks")
class TestSingleFlight:
    async def test_same_key_shares_one_call(self) -> None:
        flights: SingleFlight[str, str] = SingleFlight()
        call, other = Call(), Call()
        waiters = [asyncio.create_task(flights.join("k", call)) for _ in range(3)]
        waiters.append(asyncio.create_task(flights.join("other", other)))
        await turn()
        assert flights.flying("k")
        call.end.set()
        other.end.set()
        assert await asyncio.gather(*waiters) == ["done"] * 4
        assert (call.begun, other.begun) == (1, 1)
        assert not flights.flying("k")

    async def test_a_later_call_is_made_anew(self) -> None:
        flights: SingleFlight[str, str] = SingleFlight()
        call = Call()
        call.end.set()
        await flights.join("k", call)
        await flights.join("k", call)
        assert call.begun == 2

    async def test_call_that_never_waits(self) -> None:
        async def at_once() -> str:
            return "at once"

        flights: SingleFlight[str, str] = SingleFlight()
        assert await flights.join("k", at_once) == "at once"
        assert not flights.flying("k")

    @pytest.mark.parametrize("leaver", [0, 1])
    async def test_one_who_leaves_disturbs_nobody(self, leaver: int) -> None:
        flights: SingleFlight[str, str] = SingleFlight()
        call = Call()
        waiters = [asyncio.create_task(flights.join("k", call)) for _ in range(2)]
        await turn()
        waiters[leaver].cancel()
        await turn()
        assert waiters[leaver].cancelled()
        call.end.set()
        assert await waiters[1 - leaver] == "done"
        assert (call.begun, call.cancelled) == (1, 0)

    async def test_the_last_one_to_leave_ends_the_call(self) -> None:
        flights: SingleFlight[str, str] = SingleFlight()
        call = Call()
        waiters = [asyncio.create_task(flights.join("k", call)) for _ in range(2)]
        await turn()
        for waiter in waiters:
            waiter.cancel()
        await turn()
        assert call.cancelled == 1
        assert not flights.flying("k")

    async def test_a_dying_call_is_not_joined(self) -> None:
        flights: SingleFlight[str, str] = SingleFlight()
        lingering = asyncio.Event()
        anew = Call()

        async def slow_to_die() -> str:
            try:
                return await Call()()
            finally:
                await lingering.wait()

        first = asyncio.create_task(flights.join("k", slow_to_die))
        await turn()
        first.cancel()
        await turn()
        second = asyncio.create_task(flights.join("k", anew))
        await turn()
        lingering.set()
        await turn()
        assert flights.flying("k")
        anew.end.set()
        assert await second == "done"

    async def test_everyone_gets_the_exception(self) -> None:
        flights: SingleFlight[str, str] = SingleFlight()
        call = Call()
        call.fails = True
        waiters = [asyncio.create_task(flights.join("k", call)) for _ in range(2)]
        await turn()
        call.end.set()
        results = await asyncio.gather(*waiters, return_exceptions=True)
        assert [str(result) for result in results] == ["the call's own"] * 2

    async def test_exception_that_nobody_waits_for_is_silent(self) -> None:
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

        async def fails_when_cancelled() -> str:
            try:
                return await Call()()
            except asyncio.CancelledError:
                raise ValueError from None

        flights: SingleFlight[str, str] = SingleFlight()
        waiter = asyncio.create_task(flights.join("k", fails_when_cancelled))
        await turn()
        waiter.cancel()
        await turn()
        gc.collect()
        assert complaints == []

    async def test_cancelled_error_of_the_call_does_not_leak(self) -> None:
        """mitmproxy.md section 0 row 3: in a hook it would hang the client for ever."""

        async def cancelled_from_outside() -> str:
            await asyncio.sleep(0)
            raise asyncio.CancelledError

        flights: SingleFlight[str, str] = SingleFlight()
        with pytest.raises(CallGone):
            await flights.join("k", cancelled_from_outside)
