from __future__ import annotations

import asyncio
import gc

import pytest

from hunyuan_fix.vision.single_flight import CallGone, SingleFlight


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
        """docs/facts/mitmproxy.md#hook-cancelled: in a hook it would hang the client for ever."""

        async def cancelled_from_outside() -> str:
            await asyncio.sleep(0)
            raise asyncio.CancelledError

        flights: SingleFlight[str, str] = SingleFlight()
        with pytest.raises(CallGone):
            await flights.join("k", cancelled_from_outside)
