"""Answers as Moonshot and servers of its models give them, through real mitmdumps: usage, leaks, the prompt cache."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.anthropic_facade import Facade, usual
from hunyuan_fix.simulator.server import Served as Simulator
from hunyuan_fix.simulator.server import serve as simulate
from hunyuan_fix.simulator.settings import Settings
from hunyuan_fix.simulator.variant import Variant
from tests.end_to_end.served import Served, serve
from tests.proxying import LOCAL, Endpoint, Trust

type Json = dict[str, Any]

MODEL = "kimi-k2.6"
TOOL = {"name": "look_up", "parameters": {"type": "object", "properties": {"word": {"type": "string"}}}}
LONG = "a long system text " * 400
"""About 1,900 tokens, more than an endpoint rounds off."""


@contextlib.asynccontextmanager
async def proxied(
    trust: Trust, *options: str, **variant: Any
) -> AsyncIterator[tuple[Simulator, Served, httpx.AsyncClient]]:
    """A mitmdump before a simulator of Moonshot, and a client of it."""
    settings = Settings(profile="moonshot", facade=Facade("moonshot", usual("moonshot")), variant=Variant(**variant))
    async with simulate(settings) as simulator:
        address = Endpoint(port=int(simulator.url.rpartition(":")[2]))
        given = [part for option in options for part in ("--set", option)]
        async with serve(trust, address, *given, hosts=f"{LOCAL}=moonshot") as proxy:
            base_url = f"http://{LOCAL}:{proxy.reverse_port}"
            headers = {"authorization": "Bearer sk-test", "x-session-id": "session 1"}
            async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60, trust_env=False) as client:
                yield simulator, proxy, client


async def events(client: httpx.AsyncClient, path: str, body: Json) -> list[Json]:
    response = await client.post(path, json=body)
    assert response.status_code == 200, response.text
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def chat(said: str, **fields: Any) -> Json:
    messages = [{"role": "system", "content": LONG}, {"role": "user", "content": said}]
    return {"model": MODEL, "messages": messages, "stream": True, **fields}


# -- usage


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("translate", ["auto", "always"])
async def test_usage_in_a_choice_alone_reaches_each_client(trust: Trust, asked: bool, translate: str) -> None:
    async with proxied(trust, f"hunyuan_translate={translate}", usage="choice") as (_, _, client):
        options: Json = {"stream_options": {"include_usage": True}} if asked else {}
        for cached in (False, True):
            chunks = await events(client, "/v1/chat/completions", chat("hello", **options))
            usual_place = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
            assert bool(usual_place) == asked
            if asked:
                details = usual_place[0].get("prompt_tokens_details")
                assert (details or {}).get("cached_tokens", 0) == usual_place[0]["cached_tokens"]
                assert bool(details) == cached
        said = {"model": MODEL, "system": LONG, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 100}
        for _ in range(2):
            told = await events(client, "/v1/messages", {**said, "stream": True})
        used = next(event["usage"] for event in told if event["type"] == "message_delta")
        assert used["cache_read_input_tokens"] > 1500
        assert 0 <= used["input_tokens"] < 200
        asked_of_responses = {"model": MODEL, "instructions": LONG, "input": "hello", "stream": True}
        told = await events(client, "/v1/responses", asked_of_responses)
        response = next(event["response"] for event in told if event["type"] == "response.completed")
        assert response["usage"]["input_tokens_details"]["cached_tokens"] > 1500
        assert response["usage"]["input_tokens"] >= response["usage"]["input_tokens_details"]["cached_tokens"]


# -- leaks


@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_server_leaves_in_the_text_reaches_each_client_in_its_place(trust: Trust, stream: bool) -> None:
    asked = '[[sim:reasoning I look.]] [[sim:tool look_up {"word": "</b> 杭州"}]]'
    leaks = frozenset({"think", "tools"})
    async with proxied(trust, "hunyuan_translate=always", leaks=leaks) as (_, _, client):
        body = chat(asked, tools=[{"type": "function", "function": TOOL}], stream=stream)
        if stream:
            deltas = [chunk["choices"][0]["delta"] for chunk in await events(client, "/v1/chat/completions", body)]
            text = "".join(delta.get("content") or "" for delta in deltas)
            thought = "".join(delta.get("reasoning_content") or "" for delta in deltas)
            calls = [frame["function"] for delta in deltas for frame in delta.get("tool_calls") or ()]
        else:
            choice = (await client.post("/v1/chat/completions", json=body)).json()["choices"][0]
            assert choice["finish_reason"] == "tool_calls"
            text, thought = choice["message"]["content"] or "", choice["message"]["reasoning_content"]
            calls = [call["function"] for call in choice["message"]["tool_calls"]]
        assert "<" not in text
        assert "I look." in thought
        assert [(call["name"], json.loads(call["arguments"])) for call in calls] == [("look_up", {"word": "</b> 杭州"})]

        tool = {"name": "look_up", "input_schema": TOOL["parameters"]}
        said = {"model": MODEL, "messages": [{"role": "user", "content": asked}], "tools": [tool], "max_tokens": 4000}
        said["thinking"] = {"type": "enabled", "budget_tokens": 2000}
        message = (await client.post("/v1/messages", json=said)).json()
        assert message["stop_reason"] == "tool_use"
        assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]
        assert message["content"][2]["input"] == {"word": "</b> 杭州"}


# -- the prompt cache


async def test_the_message_that_broke_the_cache_is_named(trust: Trust) -> None:
    async with proxied(trust) as (_, proxy, client):
        history: list[Json] = [{"role": "system", "content": LONG}]

        async def turn(said: str) -> None:
            history.append({"role": "user", "content": said})
            answer = (await client.post("/v1/chat/completions", json={"model": MODEL, "messages": history})).json()
            history.append(answer["choices"][0]["message"])

        await turn(LONG)
        await turn("two")
        history[0] = {"role": "system", "content": f"It is 9:01. {LONG}"}
        await turn("three secret words")
        await proxy.until(r"cached; broken at /messages/0: content edited \(the client\)")
        await turn("four")
        await turn("five")
        history.insert(1, {"role": "user", "content": "a reminder"})
        await turn("six")
        await proxy.until(r"cached; broken at /messages/1: 1 message inserted \(the client\)")
        output = proxy.process.output
        assert output.count("broken at") == 2
        assert "secret words" not in output


async def test_in_another_format_the_place_is_the_client_s(trust: Trust) -> None:
    async with proxied(trust) as (_, proxy, client):
        block = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
        history: list[Json] = []

        async def turn(said: str, system: str = "Be brief.") -> None:
            history.append({"role": "user", "content": [{"type": "text", "text": said}, block]})
            asked = {"model": MODEL, "system": system, "messages": history, "max_tokens": 100}
            answer = (await client.post("/v1/messages", json=asked)).json()
            history[-1] = {"role": "user", "content": [{"type": "text", "text": said}, {"type": "text", "text": LONG}]}
            history.append({"role": "assistant", "content": answer["content"]})

        await turn("one")
        await turn("two")
        await turn("three", "It is 9:01. Be brief.")
        await proxy.until(r"cached; broken at /system: system text changed \(the client\)")
        assert proxy.process.output.count("broken at") == 1
