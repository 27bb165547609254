"""A stream's usage is asked for in its client's place, and never where that costs something: a real mitmproxy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, json_answer, run_proxy, stream_answer
from tests.waiting import until

CHAT: dict[str, Any] = {"model": "hy3", "messages": [{"role": "user", "content": "hi"}], "stream": True}
REWRITTEN = CHAT | {"unknown": 1}
USAGE = {"prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 49}
SAID = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]%s}\n\n'
LAST = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]%s}\n\n'
COUNTS = b'data: {"id":"1","choices":[],"usage":' + json.dumps(USAGE).encode() + b"}\n\n"
DONE = b"data: [DONE]\n\n"
REFUSED = {
    "error": {
        "message": "Unknown parameter: 'stream_options'.",
        "type": "invalid_request_error",
        "param": "stream_options",
        "code": "unknown_parameter",
    }
}


def answered(request: Arrived) -> Answer:
    """As OpenAI's endpoints do: `usage` is null in all chunks but the last, if it is asked for."""
    is_asked = (request.json.get("stream_options") or {}).get("include_usage")
    null = b',"usage":null' if is_asked else b""
    return stream_answer(SAID % null, LAST % null, *([COUNTS] if is_asked else []), DONE)


class Calls:
    """What paid calls used."""

    name = "calls"
    kinds = (events.PAID,)

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def hear(self, event: Event) -> None:
        self.told.append(event.data)


@asynccontextmanager
async def before(trust: Trust, endpoint: Endpoint, **options: str) -> AsyncIterator[tuple[Proxy, Calls]]:
    endpoint.answer = endpoint.answer if callable(endpoint.answer) else answered
    given: dict[str, Any] = {"hunyuan_profile": "tokenhub", **options}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as proxy:
        calls = Calls()
        proxy.addon.runtime.sinks.add(calls)
        yield proxy, calls


async def sent(trust: Trust, endpoint: Endpoint, body: Any, **options: str) -> tuple[Any, bytes, str, dict[str, Any]]:
    """What arrives for `body`, what its client gets, which changes that names, and what was told of it."""
    async with before(trust, endpoint, **options) as (proxy, calls):
        async with proxy.client() as client:
            answer = await client.post("/chat/completions", json=body)
        await until(lambda: bool(calls.told))
        return endpoint.arrived[-1].json, answer.content, answer.headers.get("x-hunyuan-fix", ""), calls.told[-1]


PLAIN = SAID % b"" + LAST % b"" + DONE


async def test_a_good_request_leaves_as_it_came(trust: Trust, endpoint: Endpoint):
    arrived, got, changed, paid = await sent(trust, endpoint, CHAT)
    assert arrived == CHAT
    assert (got, changed) == (PLAIN, "")
    assert paid["is_estimated"]


@pytest.mark.parametrize(
    ("body", "option"), [(CHAT, "ask"), (REWRITTEN, "ask"), (REWRITTEN, "seen")], ids=["good", "both", "rewritten"]
)
async def test_it_is_asked_for_and_taken_out_again(trust: Trust, endpoint: Endpoint, body: Any, option: str):
    arrived, got, changed, paid = await sent(trust, endpoint, body, hunyuan_usage=option)
    assert arrived == CHAT | {"stream_options": {"include_usage": True}}
    assert got == PLAIN
    assert "answer-usage" in changed
    assert (paid["usage"], paid["is_estimated"]) == ({"input": 40, "output": 9}, False)


@pytest.mark.parametrize("given", [{"include_usage": False}, {}, None])
async def test_a_client_that_says_no_gets_none(trust: Trust, endpoint: Endpoint, given: Any):
    arrived, got, _, paid = await sent(trust, endpoint, CHAT | {"stream_options": given}, hunyuan_usage="ask")
    assert arrived["stream_options"] == {"include_usage": True}
    assert got == PLAIN
    assert paid["usage"] == {"input": 40, "output": 9}


async def test_a_client_that_asks_gets_what_it_asks_for(trust: Trust, endpoint: Endpoint):
    asking = CHAT | {"stream_options": {"include_usage": True}}
    arrived, got, changed, paid = await sent(trust, endpoint, asking, hunyuan_usage="ask")
    assert (arrived, changed) == (asking, "")
    assert got == SAID % b',"usage":null' + LAST % b',"usage":null' + COUNTS + DONE
    assert not paid["is_estimated"]


async def test_nothing_is_asked_for_a_whole_answer(trust: Trust, endpoint: Endpoint):
    endpoint.answer = lambda _: json_answer({"choices": [{"message": {"content": "hi"}}], "usage": USAGE})
    arrived, _, _, paid = await sent(trust, endpoint, CHAT | {"stream": False}, hunyuan_usage="ask")
    assert "stream_options" not in arrived
    assert paid["usage"] == {"input": 40, "output": 9}


@pytest.mark.parametrize(
    "options",
    [
        {"hunyuan_mode": "observe"},
        {"hunyuan_mode": "off"},
        {"hunyuan_keep_params": "stream_options"},
    ],
)
async def test_it_is_not_asked_for_where_that_is_not_wanted(trust: Trust, endpoint: Endpoint, options: dict[str, str]):
    async with before(trust, endpoint, hunyuan_usage="ask", **options) as (proxy, _):
        async with proxy.client() as client:
            answer = await client.post("/chat/completions", json=CHAT)
        assert endpoint.arrived[-1].json == CHAT
        assert answer.content == PLAIN


async def test_an_endpoint_that_refuses_it_is_not_asked_again(trust: Trust, endpoint: Endpoint):
    def refusing(request: Arrived) -> Answer:
        return json_answer(REFUSED, status=400) if "stream_options" in request.json else answered(request)

    endpoint.answer = refusing
    async with before(trust, endpoint, hunyuan_usage="ask") as (proxy, calls):
        async with proxy.client() as client:
            for _ in range(2):
                answer = await client.post("/chat/completions", json=CHAT | {"model": "a-model"})
                assert (answer.status_code, answer.content) == (200, PLAIN)
        assert ["stream_options" in request.json for request in endpoint.arrived] == [True, False, False]
        await until(lambda: len(calls.told) == 2)
        assert all(call["is_estimated"] for call in calls.told)


async def test_a_translated_request_asks_by_itself(trust: Trust, endpoint: Endpoint):
    async with before(trust, endpoint, hunyuan_translate="always") as (proxy, calls):
        async with proxy.client() as client:
            answer = await client.post("/messages", json=CHAT | {"max_tokens": 9})
        assert answer.status_code == 200
        assert endpoint.arrived[-1].json["stream_options"] == {"include_usage": True}
        assert calls.told[-1]["usage"] == {"input": 40, "output": 9}
        assert calls.told[-1]["dialect"] == "anthropic"
