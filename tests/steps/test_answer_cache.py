"""The answer cache through a real mitmproxy: in every format, whole and streamed, natively spoken ones too."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix import events
from hunyuan_fix.answers.gathered import gathering
from hunyuan_fix.config import worker_place
from hunyuan_fix.config.worker_place import WorkerPlace
from hunyuan_fix.events import Event
from hunyuan_fix.stores.redis import redis_client
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, json_answer, run_endpoint, run_proxy
from tests.redis_server import RedisServer

USE: dict[str, Any] = {"hunyuan_answer_cache": "use"}
ASKED = [{"role": "user", "content": "What is in a.txt?"}]
TOOLS = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}]
MODEL = "hunyuan-turbos-latest"
CHAT, MESSAGES, RESPONSES = "/chat/completions", "/messages", "/responses"


def answering(message: dict[str, Any] | None = None, finish: str = "tool_calls") -> Callable[[Arrived], Answer]:
    """Whole or as a stream, as it is asked for; each answer has an id of its own."""
    number = count(1)

    def answer(request: Arrived) -> Answer:
        own = f"chatcmpl-{next(number)}"
        call = {"id": f"call_{own}", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}}
        said = message or {"reasoning_content": "Look.", "content": f"Answer {own} 好", "tool_calls": [call]}
        head = {"id": own, "created": 1_700_000_000, "model": request.json["model"]}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        if not request.json.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": finish}
            return json_answer({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        calls = [{**one, "index": place} for place, one in enumerate(said.get("tool_calls", ()))]
        deltas = [{"role": "assistant"}, *({name: value} for name, value in said.items() if name != "tool_calls")]
        deltas += [{"tool_calls": calls}] if calls else []
        chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if (request.json.get("stream_options") or {}).get("include_usage"):
            chunks.append({**head, "choices": [], "usage": usage})
        data = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
        return Answer(headers={"content-type": "text/event-stream"}, chunks=[*data, b"data: [DONE]\n\n"])

    return answer


@asynccontextmanager
async def served(
    trust: Trust, answer: Callable[[Arrived], Any] | None = None, *beside: object, **options: Any
) -> AsyncIterator[tuple[Endpoint, Proxy, Callable[..., Any]]]:
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer or answering()
        url = f"http://{LOCAL}:{endpoint.port}"
        async with run_proxy(trust, url, *beside, **options) as proxy, proxy.client() as client:

            async def ask(
                path: str = CHAT, *, key: str = "k", headers: dict[str, str] | None = None, **more: Any
            ) -> Any:
                body: dict[str, Any] = {"model": MODEL, "messages": ASKED, "tools": TOOLS, **more}
                if path == MESSAGES:
                    body = {"model": MODEL, "max_tokens": 500, "messages": ASKED, **more}
                if path == RESPONSES:
                    body = {"model": MODEL, "input": ASKED, **more}
                given = {"authorization": f"Bearer {key}", **(headers or {})}
                return await client.post(path, json=body, headers=given)

            yield endpoint, proxy, ask


def is_hit(answer: httpx.Response) -> bool:
    assert answer.status_code == 200, answer.text
    assert ("age" in answer.headers) == (answer.headers.get("x-hunyuan-cache") == "hit")
    return "age" in answer.headers


def chunks(answer: httpx.Response) -> list[Any]:
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]


def said(answer: httpx.Response, form: str = "chat") -> dict[str, Any]:
    """A whole answer, or what a stream brought."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return dict(answer.json())
    gathered = gathering(form, 1 << 20)
    for chunk in chunks(answer):
        gathered.event(chunk)
    whole = gathered.whole()
    assert whole is not None, answer.text
    return whole


def without_ids(answer: dict[str, Any]) -> dict[str, Any]:
    answer = json.loads(json.dumps(answer))
    for name in ("id", "usage", "object", "created_at", "created", "completed_at"):
        answer.pop(name, None)
    for choice in answer.get("choices", ()):
        for call in choice["message"].get("tool_calls", ()):
            call.pop("id")
            call.pop("index", None)
        choice["message"].pop("role", None)
        choice.pop("logprobs", None)
    for part in [*(answer.get("content") or ()), *(answer.get("output") or ())]:
        for name in ("id", "call_id", "encrypted_content"):
            part.pop(name, None)
    return dict(answer)


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


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_other_formats_get_theirs_whole_or_streamed(trust: Trust, path: str, streamed: bool, again: bool):
    form = "anthropic-native" if path == MESSAGES else "responses-native"
    async with served(trust, **USE) as (endpoint, _, ask):
        first, second = await ask(path, stream=streamed), await ask(path, stream=again)
        assert (is_hit(first), is_hit(second)) == (False, True)
        assert len(endpoint.arrived) == 1
    assert without_ids(said(first, form)) == without_ids(said(second, form))
    assert said(first, form)["id"] != said(second, form)["id"]
    assert said(second, form)["usage"] == said(first, form)["usage"]


async def test_one_format_finds_what_another_one_asked(trust: Trust):
    async with served(trust, **USE) as (endpoint, _, ask):
        # What both are translated into is the same: all that a request says is in it.
        first = await ask(RESPONSES, max_output_tokens=500, store=False)
        second = await ask(RESPONSES, max_output_tokens=500, stream=True)
        assert (is_hit(first), is_hit(second)) == (False, True)
        assert len(endpoint.arrived) == 1


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


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("streamed", [False, True])
async def test_so_it_does_where_the_endpoint_speaks_the_format_itself(trust: Trust, path: str, streamed: bool):
    key = "sk-Zx81Qm4Lr72Tn95Vb03Kc68Wd"

    def echoing(request: Arrived) -> Answer:
        asked = request.json.get("messages") or request.json["input"]
        said_there = asked[0]["content"] if isinstance(asked[0]["content"], str) else asked[0]["content"][0]["text"]
        answer = native(request)
        return Answer(
            headers={"content-type": answer.headers["content-type"]},
            chunks=[
                chunk.replace("好".encode(), said_there.encode())
                for chunk in list(answer.chunks)  # type: ignore[arg-type]
            ],
        )

    form = "anthropic-native" if path == MESSAGES else "responses-native"
    question = [{"role": "user", "content": f"my key {key} ok"}]
    more = {"messages": question} if path == MESSAGES else {"input": question, "store": False}
    async with served(trust, echoing, **NATIVE, hunyuan_mask="keys") as (endpoint, _, ask):
        answers = [await ask(path, model="hy3", stream=stream, **more) for stream in (streamed, False, True)]
        assert [is_hit(answer) for answer in answers] == [False, True, True]
        assert endpoint.arrived[0].target.endswith(path)
        assert key.encode() not in endpoint.arrived[0].body
        for answer in answers:
            assert key in json.dumps(said(answer, form))
            assert "MASKED" not in answer.text


async def test_observed_requests_pass(trust: Trust):
    async with served(trust, **USE) as (endpoint, _, ask):
        await ask()
        assert not is_hit(await ask(headers={"x-hunyuan-mode": "observe"}))
        assert len(endpoint.arrived) == 2


async def run(ask: Callable[..., Any], name: str, questions: str, **more: Any) -> list[str]:
    """The bytes of the answers to questions, in a run."""
    answers = []
    for question in questions:
        messages = [{"role": "user", "content": question}]
        answer = await ask(messages=messages, headers={"x-hunyuan-run": name}, **more)
        assert answer.status_code == 200, answer.text
        answers.append(answer.text)
    return answers


@pytest.mark.parametrize("streamed", [False, True])
async def test_in_a_run_the_nth_of_the_same_requests_gets_the_nth_answer(trust: Trust, streamed: bool):
    async with served(trust) as (endpoint, _, ask):
        first = await run(ask, "a/1", "xyxxy", stream=streamed)
        assert len(endpoint.arrived) == 5
        assert len(set(first)) == 5
        second, third = [await run(ask, f"a/{take}", "xyxxy", stream=streamed) for take in "23"]
        assert second == third, "byte for byte"
        assert len(endpoint.arrived) == 5
        parts = [json.loads(text)["choices"] for text in first] if not streamed else []
        assert [json.loads(text)["choices"] for text in second] == parts if not streamed else True
        more = await run(ask, "a/3", "x", stream=streamed)
        assert more[0] not in first
        assert len(endpoint.arrived) == 6, "the fourth is new"
        once, again = [await run(ask, f"a/{take}", "xxxx", stream=streamed) for take in "45"]
        assert once == again
        assert once[:3] == [second[place] for place in (0, 2, 3)]
        await run(ask, "b", "x", stream=streamed)
        assert len(endpoint.arrived) == 7, "another run"
        await run(ask, "b", "x", stream=streamed)
        assert len(endpoint.arrived) == 8, "this process is one take"


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
async def test_other_formats_repeat_byte_for_byte(trust: Trust, path: str, streamed: bool, profile: str):
    speaks = native if profile == "tokenhub" else None
    more = {"include": ["reasoning.encrypted_content"], "store": False} if path == RESPONSES else {}
    async with served(trust, speaks, hunyuan_profile=profile) as (endpoint, _, ask):
        takes = []
        for take in "123":
            headers = {"x-hunyuan-run": f"a/{take}"}
            takes.append([(await ask(path, stream=streamed, model="hy3", headers=headers, **more)).text for _ in "12"])
        assert len(endpoint.arrived) == 2
        assert takes[1] == takes[2]
        assert ("Answer" in takes[1][0] and takes[1][0] != takes[1][1]) or speaks


async def test_a_run_that_can_t_be_read_is_refused(trust: Trust):
    async with served(trust) as (endpoint, _, ask):
        for odd in ("/", "a/", "/b", "a/b/c", "a" * 101, "a\tb"):
            answer = await ask(headers={"x-hunyuan-run": odd})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "run_unreadable"), odd
        assert endpoint.arrived == []


async def test_who_repeats_a_run_asks_the_same_often(trust: Trust):
    async with served(trust, None, hunyuan_answer_cache_repeats="1/600") as (endpoint, _, ask):
        for take in range(5):
            await run(ask, f"a/{take}", "x")
        assert len(endpoint.arrived) == 1


async def test_several_workers_count_a_run_together_or_not_at_all(
    trust: Trust, monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
):
    async with served(trust) as (endpoint, proxy, ask):
        monkeypatch.setattr(worker_place, "_own", WorkerPlace(1, 2))
        refused = [await ask(headers={"x-hunyuan-run": "a/1"})]
        redis_server.start()
        redis = redis_client(redis_server.url)
        proxy.addon.runtime.answers.takes.share(redis)
        refused.append(await ask(headers={"x-hunyuan-run": "a"}))
        for answer in refused:
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "run_needs_redis")
        assert endpoint.arrived == []
        await run(ask, "a/1", "xx")
        await run(ask, "a/2", "xx")
        assert len(endpoint.arrived) == 2
        redis_server.stop()
        lost = await ask(headers={"x-hunyuan-run": "a/3"})
        assert not is_hit(lost)
        assert "could not be counted" in lost.headers["x-hunyuan-fix-warning"]
        await redis.aclose()


async def test_takes_at_once(trust: Trust):
    """Four takes of one run at the same time get the same answers: who asks first fetches."""
    async with served(trust) as (endpoint, _, ask):
        takes = await asyncio.gather(*(run(ask, f"a/{number}", "xyxz") for number in range(4)))
        parts = [[json.loads(text)["choices"] for text in take] for take in takes]
        assert all(take == parts[0] for take in parts)
        assert len(endpoint.arrived) == 4
        again = await run(ask, "a/again", "xyxz")
        assert [json.loads(text)["choices"] for text in again] == parts[0]


async def test_an_agents_run_replays_with_its_own_ids(trust: Trust):
    """What the model calls stands in the next request: under a run its ids are those of the first time."""
    async with served(trust) as (endpoint, _, ask):

        async def agent(take: str) -> list[Any]:
            history: list[Any] = list(ASKED)
            for _ in range(3):
                answer = said(await ask(messages=history, headers={"x-hunyuan-run": f"agent/{take}"}))
                message = answer["choices"][0]["message"]
                (call,) = message["tool_calls"]
                history += [message, {"role": "tool", "tool_call_id": call["id"], "content": "text"}]
            return history

        first = await agent("1")
        assert len(endpoint.arrived) == 3
        assert await agent("2") == first
        assert len(endpoint.arrived) == 3


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


def native(request: Arrived) -> Answer:
    """An endpoint that speaks Messages and Responses itself."""
    call = {"path": "a", "好": [1, 2.50]}
    is_stream = request.json.get("stream")
    if request.target.endswith(MESSAGES):
        blocks: list[dict[str, Any]] = [
            {"type": "thinking", "thinking": "Look.", "signature": "c2ln"},
            {"type": "text", "text": "Answer 好"},
            {"type": "tool_use", "id": "toolu_01abcdefgh", "name": "read", "input": call},
        ]
        usage = {"input_tokens": 11, "output_tokens": 7}
        message: dict[str, Any] = {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": "hy3",
            "content": blocks,
        }
        message |= {"model": "hy3", "stop_reason": "tool_use", "stop_sequence": None, "usage": usage}
        if not is_stream:
            return json_answer(message)
        begun = {**message, "content": [], "stop_reason": None, "usage": {"input_tokens": 11, "output_tokens": 1}}
        told: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
        starts: list[dict[str, Any]] = [
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "text", "text": ""},
        ]
        starts.append({**blocks[2], "input": {}})
        arguments = json.dumps(call, ensure_ascii=False)
        deltas: list[list[dict[str, Any]]] = [
            [{"type": "thinking_delta", "thinking": "Lo"}, {"type": "thinking_delta", "thinking": "ok."}],
            [{"type": "text_delta", "text": "Answer "}, {"type": "text_delta", "text": "好"}],
            [{"type": "input_json_delta", "partial_json": piece} for piece in ("", arguments[:9], arguments[9:])],
        ]
        deltas[0].append({"type": "signature_delta", "signature": "c2ln"})
        for index, (start, pieces) in enumerate(zip(starts, deltas, strict=True)):
            told.append({"type": "content_block_start", "index": index, "content_block": start})
            told += [{"type": "content_block_delta", "index": index, "delta": piece} for piece in pieces]
            told.append({"type": "content_block_stop", "index": index})
        ending = {"stop_reason": "tool_use", "stop_sequence": None}
        told.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 7}})
        told.append({"type": "message_stop"})
    else:
        items: list[dict[str, Any]] = [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2ln"},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Answer 好", "annotations": []}],
            },
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_01abcdefgh",
                "name": "read",
                "status": "completed",
            },
        ]
        items[2]["arguments"] = json.dumps(call, ensure_ascii=False)
        response: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 1, "model": "hy3"}
        response |= {"status": "completed", "output": items, "usage": {"input_tokens": 11, "output_tokens": 7}}
        if not is_stream:
            return json_answer(response)
        told = [{"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}]
        for index, item in enumerate(items):
            told += [
                {"type": f"response.output_item.{k}", "output_index": index, "item": item} for k in ("added", "done")
            ]
        told.append({"type": "response.completed", "response": {**response, "output": []}})
        told = [{**event, "sequence_number": number} for number, event in enumerate(told)]
    data = [f"event: {one['type']}\ndata: {json.dumps(one, ensure_ascii=False)}\n\n".encode() for one in told]
    return Answer(headers={"content-type": "text/event-stream"}, chunks=data)


NATIVE: dict[str, Any] = {**USE, "hunyuan_profile": "tokenhub"}


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_where_the_endpoint_speaks_the_format_itself(trust: Trust, path: str, streamed: bool, again: bool):
    form = "anthropic-native" if path == MESSAGES else "responses-native"
    async with served(trust, native, **NATIVE) as (endpoint, _, ask):
        more = {"store": False} if path == RESPONSES else {}
        first = await ask(path, stream=streamed, **more, **{"model": "hy3"})
        assert not first.headers["x-hunyuan-fix"].count("answer-cache") if "x-hunyuan-fix" in first.headers else True
        second = await ask(path, stream=again, **more, **{"model": "hy3"})
        assert (is_hit(first), is_hit(second)) == (False, True)
        assert [arrived.target.rpartition("/v1")[2] for arrived in endpoint.arrived] == [path]
        one, other = said(first, form), said(second, form)
        assert without_ids(one) == without_ids(other)
        assert one["usage"] == other["usage"]
        assert one["id"] != other["id"]
        parts = [(answer.get("content") or answer["output"])[2] for answer in (one, other)]
        ids = [part.get("call_id", part["id"]) for part in parts]
        assert ids[0] != ids[1]
        assert ids[1].rpartition("_")[0] == ids[0].rpartition("_")[0]
        # The next question of the conversation is known, whatever ids the calls had.
        for answer in (one, other):
            if path == MESSAGES:
                result = {"type": "tool_result", "tool_use_id": answer["content"][2]["id"], "content": "text"}
                said_since = [
                    {"role": "assistant", "content": answer["content"]},
                    {"role": "user", "content": [result]},
                ]
                turn = {"messages": [*ASKED, *said_since]}
            else:
                result = {"type": "function_call_output", "call_id": answer["output"][2]["call_id"], "output": "text"}
                turn = {"input": [*ASKED, *answer["output"], result]}
            last = await ask(path, **more, **turn, **{"model": "hy3"})
        assert is_hit(last)
        assert len(endpoint.arrived) == 2


async def test_an_endpoint_of_another_format(trust: Trust):
    def tencent(request: Arrived) -> Answer:
        message = {"Role": "assistant", "Content": "Answer 好"}
        choice = {"Index": 0, "Message": message, "FinishReason": "stop"}
        usage = {"PromptTokens": 11, "CompletionTokens": 7, "TotalTokens": 18}
        body = {"Created": 1, "Id": "i1", "Note": "n", "Usage": usage, "Choices": [choice], "RequestId": "r"}
        return json_answer({"Response": body})

    options = {**USE, "hunyuan_profile": "tencent-cloud"}
    async with served(trust, tencent, **options) as (endpoint, _, ask):
        first, second = [await ask(tools=[], key="AKIDsecretid|secretkey", stream=stream) for stream in (False, True)]
        assert (is_hit(first), is_hit(second)) == (False, True)
        assert without_ids(said(first)) == without_ids(said(second))
        assert len(endpoint.arrived) == 1


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_programs_of_tencent_clouds_sdk(trust: Trust, streamed: bool, again: bool):
    """Their format, whole and streamed, from the same answer; each has the id of its own request."""
    body = {"Model": "hunyuan-lite", "Messages": [{"Role": "user", "Content": "hi"}]}
    named = {"x-tc-action": "ChatCompletions", "x-tc-version": "2023-09-01", "authorization": "SKIP"}
    async with served(trust, answering({"content": "Answer 好"}, "stop"), **USE) as (endpoint, proxy, _):
        answers = []
        async with proxy.client() as client:
            for stream in (streamed, again):
                headers = {**named, "x-tc-timestamp": str(int(time.time()))}
                root = client.base_url.copy_with(path="/")
                answers.append(await client.post(root, json={**body, "Stream": stream}, headers=headers))
        assert [is_hit(answer) for answer in answers] == [False, True]
        assert len(endpoint.arrived) == 1
    for stream, answer in zip((streamed, again), answers, strict=True):
        assert answer.headers["content-type"] == ("text/event-stream" if stream else "application/json")
        given = chunks(answer) if stream else [answer.json()["Response"]]
        part = "Delta" if stream else "Message"
        assert "".join(one["Choices"][0][part].get("Content") or "" for one in given) == "Answer 好"
        assert given[-1]["Choices"][0]["FinishReason"] == "stop"
        assert given[-1]["Usage"]["TotalTokens"] == 18
