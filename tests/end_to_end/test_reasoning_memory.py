"""Clients that lose what a model thought, before a stand-in for Moonshot, which knows it again.

With real mitmdumps: whole and streamed, in every format, over a restart and with two workers of one store.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.anthropic_facade import Facade, usual
from hunyuan_fix.simulator.rows import ProfileName
from hunyuan_fix.simulator.server import Served as Simulator
from hunyuan_fix.simulator.server import serve as simulate
from hunyuan_fix.simulator.settings import Settings
from hunyuan_fix.simulator.variant import Variant
from tests.end_to_end.served import Served, serve
from tests.proxying import LOCAL, Endpoint, Trust
from tests.redis_server import RedisServer

type Json = dict[str, Any]

LOOK_UP = {"name": "look_up", "description": "", "parameters": {"type": "object", "properties": {}}}
ASKED = [f'step {number} [[sim:tool look_up {{"number": {number % 2}}}]]' for number in range(3)]
KEY = {"authorization": "Bearer sk-test"}


@contextlib.asynccontextmanager
async def endpoint(profile: ProfileName, **variant: Any) -> AsyncIterator[Simulator]:
    facade = Facade(profile, usual(profile))
    async with simulate(Settings(profile=profile, facade=facade, variant=Variant(**variant))) as served:
        yield served


def before(trust: Trust, simulator: Simulator, profile: str, *options: str, store: str = "memory") -> Any:
    """A mitmdump before the simulator."""
    arguments = [part for option in options for part in ("--set", option)]
    address = Endpoint(port=int(simulator.url.rpartition(":")[2]))
    return serve(trust, address, *arguments, hosts=f"{LOCAL}={profile}", store=store)


async def post(client: httpx.AsyncClient, path: str, body: Json) -> list[Json]:
    """A whole answer, or the events of a stream."""
    response = await client.post(path, json=body, headers=KEY)
    assert response.status_code == 200, response.text
    if not body.get("stream"):
        return [response.json()]
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


class Chat:
    """A client of chat that keeps of an answer its text and its calls, as LangChain's ChatOpenAI does."""

    path = "/v1/chat/completions"

    def __init__(self, model: str, *, stream: bool) -> None:
        self.history: list[Json] = []
        self.body: Json = {"model": model, "tools": [{"type": "function", "function": LOOK_UP}], "stream": stream}

    async def turn(self, client: httpx.AsyncClient, said: str) -> None:
        self.history.append({"role": "user", "content": said})
        content, calls = "", list[Json]()
        for chunk in await post(client, self.path, {**self.body, "messages": self.history}):
            for choice in chunk["choices"]:
                delta = choice.get("message") or choice["delta"]
                content += delta.get("content") or ""
                for frame in delta.get("tool_calls") or ():
                    self._take(calls, frame)
        self.history.append({"role": "assistant", "content": content.strip() or None, "tool_calls": calls})
        self.history += [{"role": "tool", "tool_call_id": call["id"], "content": "found"} for call in calls]

    @staticmethod
    def _take(calls: list[Json], frame: Json) -> None:
        if frame.get("id"):
            calls.append({"id": frame["id"], "type": "function", "function": dict(frame["function"])})
        else:
            calls[-1]["function"]["arguments"] += frame["function"].get("arguments") or ""


class Messages:
    """A client of Messages that keeps of an answer all but its thinking."""

    def __init__(self, model: str, *, stream: bool, path: str = "/v1/messages") -> None:
        self.history: list[Json] = []
        self.path = path
        tool = {"name": "look_up", "input_schema": LOOK_UP["parameters"]}
        self.body: Json = {"model": model, "tools": [tool], "stream": stream, "max_tokens": 4000}

    async def turn(self, client: httpx.AsyncClient, said: str) -> None:
        content = [{"type": "text", "text": said}]
        results = self.history[-1]["content"] if self.history else []
        self.history[-1:] = [{"role": "user", "content": [*results, *content]}]
        blocks: dict[int, Json] = {}
        for event in await post(client, self.path, {**self.body, "messages": self.history}):
            if "content" in event:
                blocks = dict(enumerate(event["content"]))
            elif event["type"] == "content_block_start":
                blocks[event["index"]] = event["content_block"] | {"json": ""}
            elif event["type"] == "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                block["text"] = block.get("text", "") + delta.get("text", "")
                block["json"] += delta.get("partial_json", "")
        kept = [self._kept(block) for block in blocks.values() if block["type"] in ("text", "tool_use")]
        self.history.append({"role": "assistant", "content": kept})
        uses = [block["id"] for block in kept if block["type"] == "tool_use"]
        back = [{"type": "tool_result", "tool_use_id": id, "content": "found"} for id in uses]
        self.history.append({"role": "user", "content": back})

    @staticmethod
    def _kept(block: Json) -> Json:
        if block["type"] == "text":
            return {"type": "text", "text": block["text"]}
        written = block.get("json")
        given = json.loads(written) if written else block["input"]
        return {"type": "tool_use", "id": block["id"], "name": block["name"], "input": given}


class Responses:
    """A client of Responses that keeps of an answer its messages and its calls."""

    path = "/v1/responses"

    def __init__(self, model: str, *, stream: bool) -> None:
        self.history: list[Json] = []
        tool = {"type": "function", "strict": False, **LOOK_UP}
        self.body: Json = {"model": model, "tools": [tool], "stream": stream, "store": False}

    async def turn(self, client: httpx.AsyncClient, said: str) -> None:
        self.history.append({"role": "user", "content": said})
        answer = (await post(client, self.path, {**self.body, "input": self.history}))[-1]
        output = answer.get("response", answer)["output"]
        self.history += [item for item in output if item["type"] != "reasoning"]
        calls = [item["call_id"] for item in output if item["type"] == "function_call"]
        self.history += [{"type": "function_call_output", "call_id": id, "output": "found"} for id in calls]


async def converse(talk: Chat | Messages | Responses, client: httpx.AsyncClient, *asked: str) -> None:
    for said in asked or ASKED:
        await talk.turn(client, said)


def came_back(simulator: Simulator) -> list[str]:
    """What the last request had of the thoughts of its turns."""
    judged = simulator.simulator.journal.requests[-1].reasoning
    assert judged is not None
    return [one["what"] for one in judged if one["calls"]]


def client_of(proxy: Served) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://{LOCAL}:{proxy.reverse_port}", timeout=60, trust_env=False)


@pytest.mark.parametrize("stream", [False, True])
async def test_in_every_format_the_models_own_words_go_back(trust: Trust, stream: bool) -> None:
    async with (
        endpoint("moonshot", repeating_ids=True) as simulator,
        before(trust, simulator, "moonshot") as proxy,
        client_of(proxy) as client,
    ):
        for talk in (
            Chat("kimi-k2.6", stream=stream),
            Messages("kimi-k2.6", stream=stream),
            Messages("kimi-k2.6", stream=stream, path="/anthropic/v1/messages"),
            Responses("kimi-k2.6", stream=stream),
        ):
            await converse(talk, client)
            assert came_back(simulator) == ["real", "real"], talk.path


async def test_on_an_aggregators_messages_route(trust: Trust) -> None:
    async with (
        endpoint("zenmux") as simulator,
        before(trust, simulator, "zenmux") as proxy,
        client_of(proxy) as client,
    ):
        talk = Messages("moonshotai/kimi-k2.5", stream=True, path="/api/anthropic/v1/messages")
        await converse(talk, client)
        assert came_back(simulator) == ["real", "real"]
        # What another model had called before, of which nothing is known.
        use = {"type": "tool_use", "id": "x", "name": "look_up", "input": {"by": "another"}}
        back = {"type": "tool_result", "tool_use_id": "x", "content": "found"}
        earlier: list[Json] = [
            {"role": "user", "content": "before"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [back, *talk.history[0]["content"]]},
        ]
        talk.history[:1] = earlier
        await talk.turn(client, "and more")
        assert came_back(simulator) == ["made up", "real", "real", "real"]


async def test_an_endpoint_with_another_field_gets_that_field(trust: Trust) -> None:
    async with (
        endpoint("moonshot", reasoning_field="reasoning") as simulator,
        before(trust, simulator, "moonshot") as proxy,
        client_of(proxy) as client,
    ):
        await converse(Chat("kimi-k2.6", stream=True), client)
        assert came_back(simulator) == ["real", "real"]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_over_a_restart_and_with_two_workers(
    trust: Trust, tmp_path: Path, redis_server: RedisServer, kind: str
) -> None:
    store = f"sqlite:{tmp_path / 'store'}" if kind == "sqlite" else redis_server.url
    talk = Chat("kimi-k2.6", stream=True)

    async def take(proxy: Served, said: str) -> None:
        async with client_of(proxy) as client:
            await talk.turn(client, said)

    async with endpoint("moonshot", repeating_ids=True) as simulator:
        async with (
            before(trust, simulator, "moonshot", "hunyuan_keep=store", store=store) as one,
            before(trust, simulator, "moonshot", "hunyuan_keep=store", store=store) as two,
        ):
            for number, said in enumerate(ASKED):
                await take((one, two)[number % 2], said)
            assert came_back(simulator) == ["real", "real"]
        async with before(trust, simulator, "moonshot", "hunyuan_keep=store", store=store) as again:
            await take(again, "and once more")
            assert came_back(simulator) == ["real", "real", "real"]


@pytest.mark.parametrize("stream", [False, True])
async def test_no_call_has_the_id_of_an_earlier_one(trust: Trust, stream: bool) -> None:
    async with (
        endpoint("moonshot", repeating_ids=True) as simulator,
        before(trust, simulator, "moonshot") as proxy,
        client_of(proxy) as client,
    ):
        for talk in (
            Chat("kimi-k2.6", stream=stream),
            Messages("kimi-k2.6", stream=stream, path="/anthropic/v1/messages"),
            Responses("kimi-k2.6", stream=stream),
        ):
            await converse(talk, client)
            ids = ids_in(talk.history)
            assert len(ids) == len(ASKED)
            assert len(set(ids)) == len(ids)
            assert came_back(simulator) == ["real", "real"]


def ids_in(history: list[Json]) -> list[str]:
    """The ids of the calls in a conversation, in any format."""
    pieces = [*history, *(piece for one in history for piece in one.get("content") or () if isinstance(piece, dict))]
    calls = [call["id"] for piece in pieces for call in piece.get("tool_calls") or ()]
    uses = [piece["id"] for piece in pieces if piece.get("type") == "tool_use"]
    return [*calls, *uses, *(piece["call_id"] for piece in pieces if piece.get("type") == "function_call")]
