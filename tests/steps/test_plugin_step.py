"""A step of a plug-in among the proxy's own: its effect where it works, none where it fails."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from hunyuan_fix.exchange import Exchange
from hunyuan_fix.plugins import Change, Outcome, Plugin, Response, Step
from hunyuan_fix.steps import plugin_step
from tests.plugins.plugged import SECRET, Fails, Ran, Says


async def test_it_changes_the_request_and_need_not_tell() -> None:
    ran = Ran(Plugin("one", steps=(Says("says", "please"),)))
    assert await ran.request("hi") is None
    assert ran.texts == ["hi please"]
    assert [change.rule for change in ran.exchange.changes] == ["says"]


async def test_what_it_tells_is_listed_as_it_says() -> None:
    class Tells(Says):
        async def request(self, exchange: Exchange) -> Response | None:
            exchange.note([Change(self.name, "/messages/0", "told")])
            return await super().request(exchange)

    ran = Ran(Plugin("one", steps=(Tells("tells"),)))
    await ran.request("hi")
    assert [change.why for change in ran.exchange.changes] == ["told"]


async def test_one_that_changes_nothing_leaves_no_trace() -> None:
    class Boasts(Step):
        name = "boasts"

        async def request(self, exchange: Exchange) -> Response | None:
            exchange.note([Change(self.name, "", "nothing")])
            return None

    ran = Ran(Plugin("one", steps=(Boasts(),)))
    await ran.request("hi")
    assert (ran.exchange.change_count, ran.exchange.rules) == (0, [])


async def test_a_failing_one_costs_its_own_effect_alone(caplog: pytest.LogCaptureFixture) -> None:
    ran = Ran(
        Plugin("before", steps=(Says("first"),)),
        Plugin("broken", steps=(Fails(),)),
        Plugin("after", steps=(Says("second"),)),
    )
    assert await ran.request("hi") is None
    assert ran.texts == ["hi first second"]
    assert ran.exchange.chat["model"] == "hy3"
    assert [change.rule for change in ran.exchange.changes] == ["first", "second"]
    assert ran.counts == {("broken", "request"): 1}
    assert "Plug-in broken: request of fails failed" in caplog.text
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.parametrize(
    "left", [None, [], {"messages": []}, {"messages": "no"}, {"model": "hy3"}, {"messages": [{1}]}]
)
async def test_a_body_that_no_step_could_work_with_is_put_back(left: Any) -> None:
    class Breaks(Step):
        name = "breaks"

        async def request(self, exchange: Exchange) -> Response | None:
            exchange.chat = left
            return None

    ran = Ran(Plugin("one", steps=(Breaks(),)))
    await ran.request("hi")
    assert ran.texts == ["hi"]
    assert ran.counts == {("one", "request"): 1}


@pytest.mark.parametrize("answer", ["no", Response(99, {}, b""), Response(200, {}, "text")])  # type: ignore[arg-type]
async def test_what_is_no_response_is_none(answer: Any) -> None:
    class Answers(Step):
        name = "answers"

        async def request(self, exchange: Exchange) -> Response | None:
            return answer  # type: ignore[no-any-return]

    ran = Ran(Plugin("one", steps=(Answers(),)))
    assert await ran.request("hi") is None
    assert ran.counts == {("one", "request"): 1}


async def test_its_response_ends_the_way() -> None:
    class Answers(Step):
        name = "answers"

        async def request(self, exchange: Exchange) -> Response | None:
            return Response(403, {}, b"{}")

    ran = Ran(Plugin("one", steps=(Answers(), Says("never"))))
    assert await ran.request("hi") == Response(403, {}, b"{}")
    assert ran.texts == ["hi"]


async def test_one_that_hangs_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    """Also one that doesn't let itself be cancelled: what it does later reaches nobody."""
    go_on, went_on = asyncio.Event(), asyncio.Event()

    class Hangs(Step):
        name = "hangs"

        async def request(self, exchange: Exchange) -> Response | None:
            chat = exchange.chat
            while not go_on.is_set():
                try:
                    await go_on.wait()
                except asyncio.CancelledError:
                    continue
            chat["messages"][0]["content"] = "late"
            went_on.set()
            raise ValueError(SECRET)

    ran = Ran(Plugin("slow", steps=(Hangs(),), patience=0.01))
    await ran.request("hi")
    assert ran.counts == {("slow", "request"): 1}
    assert "TimeoutError" in caplog.text
    go_on.set()
    await went_on.wait()
    await asyncio.sleep(0)
    assert ran.texts == ["hi"]
    assert SECRET not in caplog.text


async def test_it_ends_with_its_client() -> None:
    cancelled = asyncio.Event()

    class Waits(Step):
        name = "waits"

        async def request(self, exchange: Exchange) -> Response | None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return None

    ran = Ran(Plugin("one", steps=(Waits(),)))
    task = asyncio.ensure_future(ran.request("hi"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await cancelled.wait()
    assert ran.counts == {}


@pytest.mark.parametrize("raised", [SystemExit(SECRET), asyncio.CancelledError(SECRET)])
async def test_one_that_would_end_the_process_doesnt(raised: BaseException) -> None:
    class Ends(Step):
        name = "ends"

        async def request(self, exchange: Exchange) -> Response | None:
            raise raised

    ran = Ran(Plugin("one", steps=(Ends(),)))
    await ran.request("hi")
    assert ran.texts == ["hi"]
    assert ran.counts == {("one", "request"): 1}


def test_answers_chunks_and_ends_of_a_failing_one_pass() -> None:
    ran = Ran(Plugin("broken", steps=(Fails(),)))
    answer, chunk = {"choices": [{"message": {"content": "x"}}]}, {"choices": [{"delta": {"content": "x"}}]}
    assert not ran.pipeline.answer(ran.exchange, answer)
    assert answer == {"choices": [{"message": {"content": "x"}}]}
    assert list(ran.pipeline.chunks(ran.exchange, chunk)) == [{"choices": [{"delta": {"content": "x"}}]}]
    ran.pipeline.done(ran.exchange, Outcome("answered", 200, "200"))
    assert ran.counts == {("broken", part): 1 for part in ("answer", "chunk", "done")}
    assert ran.exchange.rules == []


@pytest.mark.parametrize("given", [5, [5], [{"a": {1}}]])
def test_what_is_no_chunk_is_put_back(given: Any) -> None:
    class Odd(Step):
        name = "odd"

        def chunk(self, exchange: Exchange, chunk: Any) -> Any:
            chunk["x"] = 1
            return given

    ran = Ran(Plugin("one", steps=(Odd(),)))
    assert list(ran.pipeline.chunks(ran.exchange, {"a": 1})) == [{"a": 1}]
    assert ran.counts == {("one", "chunk"): 1}


def test_answers_and_chunks_are_changed_and_it_is_named() -> None:
    class Shouts(Step):
        name = "shouts"

        def answer(self, exchange: Exchange, answer: Any) -> None:
            answer["text"] = answer["text"].upper()

        def chunk(self, exchange: Exchange, chunk: Any) -> Any:
            return [] if chunk["text"] == "gone" else [{"text": chunk["text"].upper()}]

    ran = Ran(Plugin("one", steps=(Shouts(),)))
    answer = {"text": "A"}
    assert not ran.pipeline.answer(ran.exchange, answer)
    assert ran.exchange.rules == []
    answer = {"text": "a"}
    assert ran.pipeline.answer(ran.exchange, answer)
    assert (answer, ran.exchange.rules) == ({"text": "A"}, ["shouts"])
    assert [*ran.pipeline.chunks(ran.exchange, {"text": "b"})] == [{"text": "B"}]
    assert [*ran.pipeline.chunks(ran.exchange, {"text": "gone"})] == []


def test_streams_arent_read_for_one_that_doesnt_look_at_chunks() -> None:
    for step, are_read in ((Says("says"), False), (Fails(), True)):
        ran = Ran(Plugin("one", steps=(step,)))
        assert ran.pipeline.changes_chunks(ran.exchange) is are_read


async def test_a_large_body_is_written_out_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = Ran(Plugin("one", steps=(Says("says"),)))
    costs: list[int] = []
    real = ran.runtime.workers.run

    async def run(work: Any, cost: int) -> Any:
        costs.append(cost)
        return await real(work, cost)

    monkeypatch.setattr(ran.runtime.workers, "run", run)
    ran.exchange.cost = 8_000_000
    step = next(step for step in ran.pipeline._steps["chat"] if isinstance(step, plugin_step.PluginStep))
    ran.exchange.chat = {"model": "hy3", "messages": [{"role": "user", "content": "x"}]}
    await step.request(ran.exchange)
    assert costs == [2_000_000, 2_000_000]
