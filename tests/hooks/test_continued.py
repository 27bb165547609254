"""Cut answers that are continued, through a real mitmproxy: for which requests, how far, and what is told of it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.steps.auto_continue import CONTINUED
from tests.hooks.test_json_answers import chunks, text_of
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    json_answer,
    run_endpoint,
    run_proxy,
    stream_answer,
)
from tests.waiting import until

PATHS = {"chat": "/chat/completions", "anthropic": "/messages", "responses": "/responses"}
PARTS = ("It was a dark ", "and stormy ", "night.")
WHOLE = "".join(PARTS)
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


class Told:
    """Keeps what is told."""

    name = "told"
    kinds = (events.PAID, events.DONE, events.CALLED, events.SENT, events.RETRIED)

    def __init__(self) -> None:
        self.events: list[Event] = []

    def hear(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: str) -> list[JsonObject]:
        return [event.data for event in self.events if event.kind == kind]


class Way:
    def __init__(self, proxy: Proxy, endpoint: Endpoint, form: str) -> None:
        self.proxy, self.endpoint, self.form = proxy, endpoint, form
        self.told = Told()
        proxy.addon.runtime.sinks.add(self.told)

    def body(self, **more: Any) -> JsonObject:
        said = [{"role": "user", "content": "Write."}]
        if self.form == "responses":
            return {"model": "hy3", "input": said, "store": False, **more}
        limit = {"max_tokens": 99} if self.form == "anthropic" else {}
        return {"model": "hy3", "messages": said, **limit, **more}

    async def ask(self, wish: str = "", **more: Any) -> httpx.Response:
        named = {"authorization": "Bearer sk-own"} | ({"x-hunyuan-continue": wish} if wish else {})
        async with self.proxy.client() as client:
            got = await client.post(PATHS[self.form], json=self.body(**more), headers=named)
        assert got.status_code == 200, got.text
        return got

    @property
    def counted(self) -> dict[tuple[str, ...], float]:
        return dict(self.proxy.addon.runtime.metrics.collect().get(CONTINUED, {}))


def telling(parts: tuple[str, ...] = PARTS, last: str = "stop") -> Any:
    """An endpoint whose answer is cut: in each call it says the part behind what was said in the last message."""

    def answer(request: Arrived) -> Answer:
        assert "x-hunyuan-continue" not in request.headers
        said = [message["content"] for message in request.json["messages"] if message["role"] == "assistant"]
        place = ["".join(parts[:number]) for number in range(len(parts))].index("".join(said))
        reason = last if place == len(parts) - 1 else "length"
        if request.json.get("stream"):
            return stream_answer(*chunks([{"content": parts[place]}], reason))
        message = {"role": "assistant", "content": parts[place], "reasoning_content": "I think"}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return json_answer({"id": "c1", "created": 1, "model": "hy3", "choices": [choice], "usage": USAGE})

    return answer


async def run_way(trust: Trust, endpoint: Endpoint, name: str = "chat", **options: Any) -> AsyncIterator[Way]:
    endpoint.answer = telling()
    form, _, native = name.partition("-")
    given: dict[str, Any] = {"hunyuan_language": "en", "hunyuan_continue": "on", "hunyuan_profile": "tokenhub"}
    given |= {} if native else {"hunyuan_translate": "always"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given | options) as running:
        yield Way(running, endpoint, form)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["chat", "anthropic", "responses", "anthropic-native", "responses-native"])
async def test_in_every_format(trust: Trust, endpoint: Endpoint, name: str, stream: bool) -> None:
    async for way in run_way(trust, endpoint, name):
        got = await way.ask("on", stream=stream)
        assert text_of(got, way.form) == WHOLE
        assert len(endpoint.arrived) == 3
        assert {request.target for request in endpoint.arrived} == {"/v1/chat/completions"}
        assert got.headers.get("x-hunyuan-continue") == (None if stream else "rounds=3")
        assert way.counted == {("complete",): 1}
        paid = way.told.of(events.PAID)
        assert Counter(one["purpose"] for one in paid) == {"own": 1, "continuation": 2}
        assert all(one["usage"] == {"input": 3, "output": 4} for one in paid)
        assert not any(one["is_estimated"] or one["is_cancelled"] for one in paid)
        (done,) = way.told.of(events.DONE)
        assert done["usage"] == {"input": 9, "output": 12}
        assert "answer-continued" in done["rules"]
        assert not way.told.of(events.RETRIED)


@pytest.mark.parametrize(
    ("name", "option", "wish", "more", "calls"),
    [
        ("chat", "off", "", {}, 1),
        ("chat", "on", "", {}, 3),
        ("chat", "off", "on", {}, 3),
        ("chat", "on", "off", {}, 1),
        ("chat", "off", "2", {}, 2),
        ("chat", "off", "1", {}, 1),
        ("chat", "on", "0", {}, 1),
        ("chat", "off", "999999999", {}, 3),
        ("chat", "off", "yes", {}, 1),
        ("chat", "on", "-1", {}, 3),
        ("chat", "on", "", {"max_tokens": 50}, 1),
        ("chat", "on", "on", {"max_completion_tokens": 50}, 1),
        ("chat", "on", "on", {"max_tokens": "50"}, 1),
        ("chat", "on", "on", {"max_tokens": None}, 3),
        ("chat", "on", "on", {"n": 2}, 1),
        ("chat", "on", "on", {"n": 1}, 3),
        ("responses", "on", "", {}, 3),
        ("responses", "on", "on", {"max_output_tokens": 50}, 1),
        ("responses-native", "on", "", {"max_output_tokens": 50}, 1),
        ("anthropic", "on", "", {}, 1),
        ("anthropic-native", "on", "", {}, 1),
        ("anthropic", "off", "2", {}, 2),
        ("anthropic-native", "off", "on", {}, 3),
    ],
)
async def test_for_which_requests(
    trust: Trust, endpoint: Endpoint, name: str, option: str, wish: str, more: JsonObject, calls: int
) -> None:
    async for way in run_way(trust, endpoint, name, hunyuan_continue=option):
        if calls == 1 and name.endswith("native"):
            endpoint.answer = json_answer({"id": "1", "content": [], "output": [], "usage": {}})
        await way.ask(wish, **more)
        assert len(endpoint.arrived) == calls


@pytest.mark.parametrize(
    ("option", "wish", "calls"), [("on", "", 1), ("off", "on", 1), ("on", "on", 3), ("on", "2", 2)]
)
async def test_a_plan_is_asked_further_only_if_that_is_said_twice(
    trust: Trust, endpoint: Endpoint, option: str, wish: str, calls: int
) -> None:
    async for way in run_way(trust, endpoint, hunyuan_continue=option, hunyuan_profile="tokenhub-plan"):
        await way.ask(wish)
        assert len(endpoint.arrived) == calls


async def test_under_observe_and_off_nothing_is_continued(trust: Trust, endpoint: Endpoint) -> None:
    for mode in ("observe", "off"):
        async for way in run_way(trust, endpoint, hunyuan_mode=mode):
            endpoint.arrived.clear()
            await way.ask("on")
            assert len(endpoint.arrived) == 1


async def test_up_to_the_limit_that_the_client_set_where_less_was_sent(trust: Trust, endpoint: Endpoint) -> None:
    """A client of Messages asks for more than the model gives in one answer."""
    async for way in run_way(trust, endpoint, "anthropic"):
        most = 10**9
        got = await way.ask(max_tokens=most)
        limits = [request.json.get("max_tokens") for request in endpoint.arrived]
        assert text_of(got, "anthropic") == WHOLE
        assert len(limits) == 3
        assert all(limit is None or limit < most for limit in limits)


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ({"hunyuan_continue_rounds": "2"}, 2),
        ({"hunyuan_continue_rounds": "1"}, 1),
        ({"hunyuan_continue_tokens": "6"}, 2),
        ({"hunyuan_continue_seconds": "0.000001"}, 1),
        ({"hunyuan_continue_cost": "0.000001 CNY"}, 1),
        ({"hunyuan_continue_cost": "5 XTS"}, 1),
        ({"hunyuan_retry": "all"}, 3),
    ],
)
async def test_how_far(trust: Trust, endpoint: Endpoint, options: dict[str, str], calls: int) -> None:
    async for way in run_way(trust, endpoint, **options):
        got = await way.ask()
        assert text_of(got, "chat") == "".join(PARTS[:calls])
        assert got.json()["choices"][0]["finish_reason"] == ("stop" if calls == 3 else "length")
        assert len(endpoint.arrived) == calls
        if calls == 1 and "hunyuan_continue_rounds" not in options:
            assert sum(way.counted.values()) == 1


async def test_a_header_asks_for_no_more_than_the_option_allows(trust: Trust, endpoint: Endpoint) -> None:
    async for way in run_way(trust, endpoint, hunyuan_continue_rounds="2"):
        await way.ask("3")
        assert len(endpoint.arrived) == 2


@pytest.mark.parametrize(("fences", "calls"), [(True, 2), (False, 1)])
async def test_a_block_of_code_without_an_end(trust: Trust, endpoint: Endpoint, fences: bool, calls: int) -> None:
    def answer(request: Arrived) -> Answer:
        said = "\n```" if len(endpoint.arrived) > 1 else "```py\nprint(1)"
        message = {"role": "assistant", "content": said}
        return json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    async for way in run_way(trust, endpoint, hunyuan_continue_fences=fences):
        endpoint.answer = answer
        assert text_of(await way.ask(), "chat") == ("```py\nprint(1)\n```" if fences else "```py\nprint(1)")
        assert len(endpoint.arrived) == calls


@pytest.mark.parametrize("stream", [False, True])
async def test_json_is_read_once_the_answer_is_whole(trust: Trust, endpoint: Endpoint, stream: bool) -> None:
    async for way in run_way(trust, endpoint, hunyuan_json="repair"):
        endpoint.answer = telling(("```json\n{'n': 1.", '10, "ok": Tr', "ue,}\n```"))
        got = await way.ask(stream=stream, response_format={"type": "json_object"})
        assert text_of(got, "chat") == '{"n": 1.10, "ok": true}'
        assert not any("partial" in str(request.json) for request in endpoint.arrived)


@pytest.mark.parametrize("asks", [True, False])
async def test_the_usage_of_a_stream_is_the_sum(trust: Trust, endpoint: Endpoint, asks: bool) -> None:
    options: JsonObject = {"stream_options": {"include_usage": True}} if asks else {}
    async for way in run_way(trust, endpoint):
        got = await way.ask(stream=True, **options)
        assert all(request.json["stream_options"]["include_usage"] for request in endpoint.arrived)
        sent = [json.loads(line[6:]) for line in got.text.splitlines() if line.startswith("data: {")]
        told = [chunk["usage"] for chunk in sent if chunk.get("usage")]
        assert told == ([{name: 3 * count for name, count in USAGE.items()}] if asks else [])


async def test_a_round_that_fails_is_told_and_gives_what_came(trust: Trust, endpoint: Endpoint) -> None:
    async for way in run_way(trust, endpoint):
        first = telling()

        def answer(request: Arrived, first: Any = first) -> Answer:
            if len(endpoint.arrived) > 1:
                return json_answer({"error": {"message": "busy"}}, status=429)
            made: Answer = first(request)
            return made

        endpoint.answer = answer
        got = await way.ask()
        assert (text_of(got, "chat"), got.json()["choices"][0]["finish_reason"]) == (PARTS[0], "length")
        assert way.counted == {("failed",): 1}
        paid = {one["purpose"]: (one["status"], one["usage"]) for one in way.told.of(events.PAID)}
        assert paid == {"continuation": (429, {}), "own": (200, {"input": 3, "output": 4})}
        (done,) = way.told.of(events.DONE)
        assert (done["how"], done["error"]) == ("answered", "")


async def test_a_client_that_leaves_ends_the_round(trust: Trust, endpoint: Endpoint) -> None:
    first, free = telling(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield chunks([{"content": "and"}], "stop")[2]
        await free.wait()

    def answer(request: Arrived) -> Answer:
        if len(endpoint.arrived) > 1:
            return Answer(200, {"content-type": "text/event-stream"}, slowly())
        made: Answer = first(request)
        return made

    async for way in run_way(trust, endpoint):
        endpoint.answer = answer
        body = way.body(stream=True)
        async with way.proxy.client() as client, client.stream("POST", PATHS["chat"], json=body) as got:
            async for text in got.aiter_text():
                if '"and"' in text:
                    break
        await until(lambda way=way: len(way.told.of(events.PAID)) == 2)  # type: ignore[misc]
        paid = {one["purpose"]: one for one in way.told.of(events.PAID)}
        assert paid["continuation"]["is_cancelled"]
        assert paid["continuation"]["is_estimated"]
        assert paid["own"]["is_cancelled"]
        free.set()


async def test_a_client_is_kept_alive_while_the_next_round_begins(trust: Trust, endpoint: Endpoint) -> None:
    alive, first = asyncio.Event(), telling()

    async def answer(request: Arrived) -> Answer:
        if len(endpoint.arrived) > 1:
            await alive.wait()
        made: Answer = first(request)
        return made

    async for way in run_way(trust, endpoint, hunyuan_heartbeat="0.1"):
        endpoint.answer, text = answer, ""
        body = way.body(stream=True)
        async with way.proxy.client() as client, client.stream("POST", PATHS["chat"], json=body) as got:
            async for piece in got.aiter_text():
                text += piece
                if len(endpoint.arrived) == 2 and "\n:" in text:
                    alive.set()
        assert text.rstrip().endswith("data: [DONE]")
        assert PARTS[2] in text


async def test_rounds_are_named_in_traces(trust: Trust, endpoint: Endpoint) -> None:
    async for way in run_way(trust, endpoint, hunyuan_traces="http://127.0.0.1:9"):
        await way.ask()
        called = way.told.of(events.CALLED)
        assert [one["purpose"] for one in called] == ["continuation"] * 2
        assert len({one["span_id"] for one in called}) == 2
        assert len(way.told.of(events.SENT)) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_after_a_fallback_its_endpoint_goes_on(trust: Trust, endpoint: Endpoint, stream: bool) -> None:
    async with run_endpoint(trust) as other:
        chain = f"hy3>moonshot@https://{LOCAL}:{other.port}/v1:kimi-k2.6"
        async for way in run_way(trust, endpoint, hunyuan_fallbacks=chain):
            endpoint.answer = json_answer({"error": {"message": "down", "type": "x", "code": "x"}}, status=500)
            other.answer = telling()
            assert text_of(await way.ask(stream=stream), "chat") == WHOLE
            assert len(endpoint.arrived) == 1
            assert [request.json["messages"][-1].get("partial") for request in other.arrived] == [None, True, True]
            assert {request.json["model"] for request in other.arrived} == {"kimi-k2.6"}
            assert way.counted == {("complete",): 1}


async def test_where_a_plan_stands_in_nothing_is_continued(trust: Trust, endpoint: Endpoint) -> None:
    async with run_endpoint(trust) as other:
        chain = f"hy3>tokenhub-plan@https://{LOCAL}:{other.port}/v1:hy3"
        async for way in run_way(trust, endpoint, hunyuan_fallbacks=chain):
            endpoint.answer = json_answer({"error": {"message": "down", "type": "x", "code": "x"}}, status=500)
            other.answer = telling()
            assert text_of(await way.ask(), "chat") == PARTS[0]
            assert len(other.arrived) == 1
