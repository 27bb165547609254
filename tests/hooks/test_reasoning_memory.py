"""Reasoning memory through a real mitmproxy: for whom it is, and how it is deleted."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.proxying import LOCAL, Arrived, Endpoint, Proxy, Trust, json_answer, run_proxy, stream_answer
from tests.remembering import Json, call, events, lost, reasoning, result, said, user
from tests.waiting import until

ASKED = user("list the files")
TURN = said(None, call(), reasoning_content="a thought of one key's")
AFTER = [ASKED, lost(TURN), result()]


def answering(arrived: Arrived) -> Any:
    if arrived.json.get("stream"):
        return stream_answer(*events(TURN))
    return json_answer({"id": "chatcmpl-1", "choices": [{"index": 0, "message": TURN, "finish_reason": "tool_calls"}]})


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    endpoint.answer = answering
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_profile="tokenhub") as running:
        yield running


async def ask(client: httpx.AsyncClient, *messages: Json, key: str = "sk-one", **fields: Any) -> None:
    body = {"model": "hy3", "messages": list(messages), **fields}
    response = await client.post("/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})
    assert response.status_code == 200, response.text


def sent(endpoint: Endpoint) -> list[Any]:
    return reasoning(endpoint.arrived[-1].json["messages"])


@pytest.mark.parametrize("stream", [False, True])
async def test_a_thought_is_for_the_key_that_asked(proxy: Proxy, endpoint: Endpoint, stream: bool) -> None:
    async with proxy.client() as client:
        await ask(client, ASKED, stream=stream)
        await ask(client, *AFTER, key="sk-two")
        assert sent(endpoint) == [None]
        await ask(client, *AFTER)
        assert sent(endpoint) == [TURN["reasoning_content"]]


async def test_a_thought_is_there_when_the_stream_says_how_it_ended(proxy: Proxy, endpoint: Endpoint) -> None:
    body = {"model": "hy3", "messages": [ASKED], "stream": True}
    async with proxy.client() as client, proxy.client() as other:
        headers = {"authorization": "Bearer sk-one"}
        async with client.stream("POST", "/chat/completions", json=body, headers=headers) as response:
            async for line in response.aiter_lines():
                if '"finish_reason": "tool_calls"' in line:
                    await ask(other, *AFTER)
                    assert sent(endpoint) == [TURN["reasoning_content"]]
                    break


@pytest.mark.parametrize("what", ["all", "chatcmpl-1"])
async def test_it_is_forgotten_on_demand(
    proxy: Proxy, endpoint: Endpoint, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hunyuan_fix")
    async with proxy.client() as client:
        await ask(client, ASKED)
        told = proxy.master.commands.execute(f"hunyuan.forget {what}")
        if what == "all":
            assert told == "Forgotten in memory: answers 0, reasoning of answers 1"
        else:
            await until(lambda: "chatcmpl-1: forgotten" in caplog.text)
        await ask(client, *AFTER)
        assert sent(endpoint) == [None]


async def test_no_thought_is_in_the_log_or_a_saved_flow(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with proxy.client() as client:
        await ask(client, ASKED)
        await ask(client, *AFTER)
    assert sent(endpoint) == [TURN["reasoning_content"]]
    said_in_log = "\n".join(record.getMessage() for record in caplog.records if record.name == "hunyuan_fix")
    assert "rules=reasoning-memory" in said_in_log
    assert TURN["reasoning_content"] not in said_in_log


async def test_under_observe_nothing_is_put_back(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = answering
    options: dict[str, Any] = {"hunyuan_profile": "tokenhub", "hunyuan_mode": "observe"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy, proxy.client() as client:
        await ask(client, ASKED)
        await ask(client, *AFTER)
        assert json.loads(endpoint.arrived[-1].body)["messages"] == AFTER
