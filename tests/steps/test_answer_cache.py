"""The answer cache through a real mitmproxy: which requests are the same, which answers are kept, what a hit costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from tests.cached_answers import (
    ASKED,
    CHAT,
    MODEL,
    TOOLS,
    USE,
    answering,
    chunks,
    is_hit,
    said,
    served,
    without_ids,
)
from tests.proxying import LOCAL, Answer, Arrived, Trust, json_answer, run_proxy


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_same_question_gets_the_same_answer_whole_or_streamed(trust: Trust, streamed: bool, again: bool):
    async with served(trust, **USE) as (endpoint, _, ask):
        options = {"stream_options": {"include_usage": True}}
        first = await ask(stream=streamed, **(options if streamed else {}))
        second = await ask(stream=again, **(options if again else {}), user="another", metadata={"a": "b"})
        assert (is_hit(first), is_hit(second)) == (False, True)
        assert len(endpoint.arrived) == 1
    one, other = said(first), said(second)
    assert without_ids(one) == without_ids(other)
    assert one["usage"] == other["usage"]
    assert one["id"] != other["id"]
    ids = [answer["choices"][0]["message"]["tool_calls"][0]["id"] for answer in (one, other)]
    assert ids[0] != ids[1]
    assert ids[1].startswith("call_chatcmpl-")


async def test_what_a_stream_used_is_kept_where_its_client_did_not_ask_for_it(trust: Trust):
    async with served(trust, None, **USE, hunyuan_usage="ask") as (_, _, ask):
        first = await ask(stream=True)
        assert "usage" not in said(first)
        whole = await ask()
        assert is_hit(whole)
        assert whole.json()["usage"] == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


async def test_a_hit_streams_like_an_endpoint(trust: Trust):
    long = {"content": '好 and "so" on. ' * 200, "reasoning_content": "r" * 100}
    async with served(trust, answering(long, "stop"), **USE) as (_, _, ask):
        await ask()
        plain, counted = await ask(stream=True), await ask(stream=True, stream_options={"include_usage": True})
    assert plain.text.endswith("data: [DONE]\n\n")
    got = chunks(plain)
    assert len(got) > 20, "piece by piece"
    assert got[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(len(chunk["choices"]) == 1 and "usage" not in chunk for chunk in got)
    assert {chunk["object"] for chunk in got} == {"chat.completion.chunk"}
    assert [chunk["choices"][0]["finish_reason"] for chunk in got] == [None] * (len(got) - 1) + ["stop"]
    assert said(plain)["choices"][0]["message"] | {"role": "assistant"} == {"role": "assistant", **long}
    assert chunks(counted)[-1]["choices"] == []
    assert chunks(counted)[-1]["usage"]["total_tokens"] == 18


DIFFERENT: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "What is in b.txt?"}]},
    {"model": "hunyuan-lite"},
    {"temperature": 0.1},
    {"max_tokens": 100},
    {"tools": []},
    {"tool_choice": "none"},
    {"seed": 1},
    {"stop": ["x"]},
    {"response_format": {"type": "json_object"}},
    {"key": "another"},
    {"headers": {"x-hunyuan-json": "code=python"}},
    {"a_field_that_nobody_knows": 1},
]


@pytest.mark.parametrize("different", DIFFERENT, ids=lambda given: next(iter(given)))
async def test_another_question_is_another_one(trust: Trust, different: dict[str, Any]):
    async with served(trust, answering({"content": "```python\n1\n```"}, "stop"), **USE) as (endpoint, _, ask):
        assert not is_hit(await ask())
        assert not is_hit(await ask(**different))
        assert len(endpoint.arrived) == 2
        assert is_hit(await ask())
        assert is_hit(await ask(**different))


BAD: dict[str, Callable[[Arrived], Answer]] = {
    "cut": answering({"content": "half"}, "length"),
    "filtered": answering({"content": "half"}, "content_filter"),
    "empty": answering({"content": ""}, "stop"),
    "refused": lambda _: json_answer({"error": {"message": "no", "type": "t", "code": "c"}}, 400),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_answer_is_not_given_again(trust: Trust, kind: str, streamed: bool):
    async with served(trust, BAD[kind], **USE, hunyuan_retry="off") as (endpoint, _, ask):
        for number in range(1, 4):
            answer = await ask(stream=streamed)
            assert "x-hunyuan-cache" not in answer.headers
            assert len(endpoint.arrived) == number


async def test_a_stream_that_breaks_off_is_not_given_again(trust: Trust):
    def broken(request: Arrived) -> Answer:
        whole = answering()(request)
        return Answer(headers=whole.headers, chunks=list(whole.chunks)[:2])  # type: ignore[arg-type]

    async with served(trust, broken, **USE, hunyuan_retry="off") as (endpoint, _, ask):
        await ask(stream=True)
        endpoint.answer = answering()
        assert not is_hit(await ask(stream=True))
        assert is_hit(await ask(stream=True))


async def test_json_that_is_none_is_not_given_again(trust: Trust):
    body = {"response_format": {"type": "json_object"}}
    async with served(trust, answering({"content": "no json at all"}, "stop"), **USE, hunyuan_json="repair") as (
        endpoint,
        _,
        ask,
    ):
        assert (await ask(**body)).headers["x-hunyuan-json"] == "invalid"
        endpoint.answer = answering({"content": 'So: {"a": 1.10}'}, "stop")
        assert said(await ask(**body))["choices"][0]["message"]["content"] == '{"a": 1.10}'
        again = await ask(**body)
        assert is_hit(again)
        assert said(again)["choices"][0]["message"]["content"] == '{"a": 1.10}', "as it was repaired"


async def test_what_another_model_answered_is_not_kept_for_its_own(trust: Trust):
    def only_the_other(request: Arrived) -> Answer:
        if request.json["model"] == MODEL:
            return json_answer({"error": {"message": "down", "type": "server_error", "code": "c"}}, 503)
        return answering()(request)

    chain = {"hunyuan_fallbacks": f"{MODEL}>hunyuan-lite", "hunyuan_breaker_failures": "0"}
    async with served(trust, only_the_other, **USE, **chain) as (endpoint, _, ask):
        answer = await ask()
        assert answer.headers["x-hunyuan-fallback"].startswith("hunyuan-lite@")
        endpoint.answer = answering()
        again = await ask()
        assert not is_hit(again)
        assert "x-hunyuan-fallback" not in again.headers
        assert is_hit(await ask())
        # Who waits for an answer that another model gives goes on when that is there.
        endpoint.answer = only_the_other
        both = await asyncio.gather(*(ask(temperature=0.1) for _ in range(2)))
        assert [is_hit(answer) for answer in both] == [False, False]


async def test_reading_and_writing_apart_and_by_header(trust: Trust):
    async with served(trust, hunyuan_answer_cache="read") as (endpoint, _, ask):
        assert not is_hit(await ask())
        assert not is_hit(await ask()), "nothing is kept"
        assert not is_hit(await ask(headers={"x-hunyuan-cache": "refresh"}))
        assert is_hit(await ask())
        assert not is_hit(await ask(headers={"x-hunyuan-cache": "off"}))
        sent = len(endpoint.arrived)
        fresh = await ask(headers={"x-hunyuan-cache": "refresh"})
        assert not is_hit(fresh)
        again = await ask()
        assert is_hit(again)
        assert len(endpoint.arrived) == sent + 1
        assert without_ids(said(again)) == without_ids(said(fresh)), "the newer one took its place"
    async with served(trust, hunyuan_answer_cache="write") as (_, _, ask):
        assert not is_hit(await ask())
        assert not is_hit(await ask())
        assert is_hit(await ask(headers={"x-hunyuan-cache": "use"}))
    async with served(trust) as (_, _, ask):
        assert not is_hit(await ask())
        assert not is_hit(await ask(headers={"x-hunyuan-cache": "use"}))
        assert is_hit(await ask(headers={"x-hunyuan-cache": "use"}))
        assert not is_hit(await ask())


async def test_what_is_asked_at_once_is_fetched_once(trust: Trust):
    go_on = asyncio.Event()

    def slowly(request: Arrived) -> Any:
        async def answer() -> Answer:
            await go_on.wait()
            return answering()(request)

        return answer()

    async with served(trust, slowly, **USE) as (endpoint, proxy, ask):
        asking = [asyncio.create_task(ask(stream=number % 2 == 1)) for number in range(8)]
        while len(endpoint.arrived) < 1 or len(proxy.addon.process.finisher.under_way) < 8:
            await asyncio.sleep(0.01)
        go_on.set()
        answers = await asyncio.gather(*asking)
        assert len(endpoint.arrived) == 1
        assert sorted(map(is_hit, answers)) == [False] + [True] * 7
        assert len({said(answer)["id"] for answer in answers}) == 8


async def test_who_waits_for_an_answer_that_is_bad_asks_too(trust: Trust):
    go_on, good = asyncio.Event(), answering()

    def slowly(request: Arrived) -> Any:
        first = not go_on.is_set()

        async def answer() -> Answer:
            await go_on.wait()
            return answering({"content": "half"}, "length")(request) if first else good(request)

        return answer()

    async with served(trust, slowly, **USE) as (endpoint, proxy, ask):
        asking = [asyncio.create_task(ask()) for _ in range(3)]
        while len(endpoint.arrived) < 1 or len(proxy.addon.process.finisher.under_way) < 3:
            await asyncio.sleep(0.01)
        go_on.set()
        answers = await asyncio.gather(*asking)
        assert [is_hit(answer) for answer in answers] == [False] * 3
        assert len(endpoint.arrived) == 3
        assert is_hit(await ask())


async def test_a_client_that_leaves_keeps_nobody_waiting(trust: Trust):
    go_on = asyncio.Event()

    def slowly(request: Arrived) -> Any:
        async def answer() -> Answer:
            await go_on.wait()
            return answering()(request)

        return answer()

    async with served(trust, slowly, **USE) as (endpoint, proxy, ask):
        leaving = asyncio.create_task(ask())
        while len(endpoint.arrived) < 1:
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(ask())
        while len(proxy.addon.process.finisher.under_way) < 2:
            await asyncio.sleep(0.01)
        leaving.cancel()
        while len(endpoint.arrived) < 2:
            await asyncio.sleep(0.01)
        go_on.set()
        assert not is_hit(await waiting)
        assert is_hit(await ask())


async def test_one_who_asks_again_and_again_is_let_past_once(trust: Trust):
    async with served(trust, **USE, hunyuan_answer_cache_repeats="3/600") as (endpoint, _, ask):
        answers = [await ask() for _ in range(9)]
        assert [is_hit(answer) for answer in answers] == [False, True, True, True, False, True, True, True, False]
        warned = [answer.headers.get("x-hunyuan-fix-warning", "") for answer in answers]
        assert [bool(text) for text in warned] == [False] * 4 + [True] + [False] * 3 + [True]
        assert "3 times in 600 seconds" in warned[4]
        assert len(endpoint.arrived) == 3
    async with served(trust, **USE, hunyuan_answer_cache_repeats="off") as (_, _, ask):
        assert sum([is_hit(await ask()) for _ in range(40)]) == 39


class Events:
    """A sink that keeps what it hears."""

    name, kinds = "test", (events.DONE, events.PAID)

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def hear(self, event: Event) -> None:
        self.heard.append(event)


async def test_a_hit_costs_nothing(trust: Trust, tmp_path: Path):
    spent: dict[str, Any] = {"hunyuan_budgets": "all day 18 tokens", "hunyuan_budgets_file": str(tmp_path / "budgets")}
    async with served(trust, **USE, **spent) as (endpoint, proxy, ask):
        told = Events()
        proxy.addon.runtime.sinks.add(told)
        await ask(max_tokens=10)
        for _ in range(5):
            assert is_hit(await ask(max_tokens=10, stream=True))
        assert (await ask(max_tokens=99)).status_code == 400, "the budget is spent, by the one that was paid for"
        assert is_hit(await ask(max_tokens=10))
        done = [event.data for event in told.heard if event.kind == events.DONE]
        assert [one["tokens"] for one in done] == [18, 0, 0, 0, 0, 0, 0, 0]
        assert [one["usage"] for one in done[1:6]] == [{}] * 5
        assert len([event for event in told.heard if event.kind == events.PAID]) == 1
        assert done[1]["rules"] == ["answer-cache"]
        assert len(endpoint.arrived) == 1


async def test_what_is_kept_outlives_the_process_and_lies_where_only_its_user_reads(trust: Trust, tmp_path: Path):
    kept = {**USE, "hunyuan_store": f"sqlite:{tmp_path / 'store.sqlite3'}"}
    async with served(trust, **kept) as (endpoint, _, ask):
        assert not is_hit(await ask())
        async with run_proxy(trust, f"http://{LOCAL}:{endpoint.port}", **kept) as other, other.client() as client:
            body = {"model": MODEL, "messages": ASKED, "tools": TOOLS}
            answer = await client.post(CHAT, json=body, headers={"authorization": "Bearer k"})
            assert is_hit(answer)
    file = tmp_path / "answers.sqlite3"
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"Bearer" not in file.read_bytes()


async def test_an_answer_grows_old(trust: Trust):
    aging = {"hunyuan_answer_cache_age": "0.05", "hunyuan_answer_cache_repeats": "off"}
    async with served(trust, None, **USE, **aging) as (_, _, ask):
        await ask()
        while is_hit(await ask()):  # `refresh`es nothing: it ends
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_was_masked_comes_back_with_its_value(trust: Trust, streamed: bool):
    """A hit passes by the step that puts values back: what is kept has them by then."""
    key = "sk-Zx81Qm4Lr72Tn95Vb03Kc68Wd"

    def echoing(request: Arrived) -> Answer:
        return answering({"content": f"It is {request.json['messages'][-1]['content']}"}, "stop")(request)

    async with served(trust, echoing, **USE, hunyuan_mask="keys") as (endpoint, _, ask):
        question = [{"role": "user", "content": f"my key {key} ok"}]
        answers = [await ask(messages=question, stream=stream) for stream in (streamed, False, True)]
        assert [is_hit(answer) for answer in answers] == [False, True, True]
        assert key.encode() not in endpoint.arrived[0].body
        for answer in answers:
            assert said(answer)["choices"][0]["message"]["content"] == f"It is my key {key} ok"


async def test_observed_requests_pass(trust: Trust):
    async with served(trust, **USE) as (endpoint, _, ask):
        await ask()
        assert not is_hit(await ask(headers={"x-hunyuan-mode": "observe"}))
        assert len(endpoint.arrived) == 2


async def test_a_conversation_goes_on_from_a_hit(trust: Trust):
    """Under `use` each hit has new ids, and the next question of the conversation is known all the same."""
    async with served(trust, **USE) as (endpoint, _, ask):
        for _ in range(3):
            history: list[Any] = list(ASKED)
            for _ in range(2):
                message = said(await ask(messages=history))["choices"][0]["message"]
                (call,) = message["tool_calls"]
                history += [message, {"role": "tool", "tool_call_id": call["id"], "content": "text"}]
        assert len(endpoint.arrived) == 2
