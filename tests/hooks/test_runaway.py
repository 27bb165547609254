"""Agents that go on and on, through a real mitmproxy: warned, refused in their format, and nothing is sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.steps.runaway import RUNAWAY
from tests.proxying import LOCAL, Arrived, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy
from tests.runaway.agents import Did, Turn, body_of

SAME = Did("read", {"path": "a"}, "nothing")
WARNED, REFUSED = 3, 5
BOUNDS = {"hunyuan_same_call": f"{WARNED}/{REFUSED}", "hunyuan_max_iterations": "6/8", "hunyuan_same_request": "3/4"}
PATHS = {"chat": "/chat/completions", "anthropic": "/messages", "responses": "/responses"}
WAYS = ("chat", "anthropic", "responses", "anthropic-native", "responses-native")
"""Formats, translated and where the endpoint speaks them itself."""
MESSAGE = {"type": "message", "role": "assistant", "model": "hy3", "content": [{"type": "text", "text": "hello"}]}
RESPONSE = {"id": "resp_1", "object": "response", "status": "completed", "model": "hy3", "output": []}


def answer(request: Arrived) -> Any:
    if request.target.endswith("/messages"):
        return json_answer(MESSAGE)
    return json_answer(RESPONSE) if request.target.endswith("/responses") else chat_answer("hello")


class Heard:
    """A sink that keeps the events."""

    name, kinds = "heard", frozenset(events.KINDS)

    def __init__(self) -> None:
        self.events: list[Event] = []

    def hear(self, event: Event) -> None:
        self.events.append(event)

    def data(self, kind: str) -> list[JsonObject]:
        return [event.data for event in self.events if event.kind == kind]


class Way:
    """A proxy on one of the ways."""

    def __init__(self, proxy: Proxy, endpoint: Endpoint, form: str) -> None:
        self.proxy, self.endpoint, self.form, self.heard = proxy, endpoint, form, Heard()
        proxy.addon.runtime.sinks.add(self.heard)

    async def send(self, *turns: Turn, **headers: str) -> httpx.Response:
        return await self.post(body_of(self.form, turns), **headers)

    async def post(self, body: object, **headers: str) -> httpx.Response:
        named = {"authorization": "Bearer sk-own"} | {name.replace("_", "-"): text for name, text in headers.items()}
        async with self.proxy.client() as client:
            return await client.post(PATHS[self.form], json=body, headers=named)

    def counted(self) -> dict[tuple[str, ...], float]:
        return dict(self.proxy.addon.runtime.metrics.collect().get(RUNAWAY, {}))


async def run_way(trust: Trust, endpoint: Endpoint, name: str, **options: str) -> AsyncIterator[Way]:
    endpoint.answer = answer
    form, _, native = name.partition("-")
    profile = {"hunyuan_profile": "tokenhub"} if native else {"hunyuan_translate": "always"}
    given: dict[str, Any] = {"hunyuan_language": "en", **profile, **BOUNDS, **options}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as running:
        yield Way(running, endpoint, form)


@pytest.fixture(params=WAYS)
async def way(request: pytest.FixtureRequest, trust: Trust, endpoint: Endpoint) -> AsyncIterator[Way]:
    async for running in run_way(trust, endpoint, request.param):
        yield running


@pytest.fixture
async def chat(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Way]:
    async for running in run_way(trust, endpoint, "chat"):
        yield running


async def test_warned_then_refused_and_nothing_is_sent(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for times in range(1, REFUSED + 2):
        got = await way.send(*[[SAME]] * times)
        warning = got.headers.get("x-hunyuan-fix-warning", "")
        assert got.status_code == (200 if times < REFUSED else 400)
        assert (f"the same tool call {times} times" in warning) is (WARNED <= times < REFUSED)
    assert len(way.endpoint.arrived) == REFUSED - 1
    error = got.json()["error"]
    assert f"called read {REFUSED + 1} times in a row" in error["message"]
    assert "hunyuan_same_call" in error["message"]
    assert got.headers["x-should-retry"] == "false"
    assert way.counted() == {("same_call", "warned"): 2, ("same_call", "refused"): 2}
    told = way.heard.data(events.RUNAWAY)
    assert [(one["what"], one["count"], one["action"]) for one in told] == [
        ("same_call", 3, "warned"),
        ("same_call", 4, "warned"),
        ("same_call", 5, "refused"),
        ("same_call", 6, "refused"),
    ]
    lines = [record.getMessage() for record in caplog.records if "the same tool call" in record.getMessage()]
    session = way.heard.data(events.DONE)[0]["session"]
    what = "the agent has made the same tool call {} times in a row, with the same result (hunyuan_same_call)"
    assert lines == [  # once each
        f"POST /v1{PATHS[way.form]}: warned: {what.format(WARNED)} session={session}",
        f"POST /v1{PATHS[way.form]}: refused: {what.format(REFUSED)} session={session}",
    ]
    assert "read" not in " ".join(lines)


async def test_turns_are_counted_until_the_user_says_something(way: Way) -> None:
    turns = [[Did("read", {"path": str(number)}, str(number))] for number in range(8)]
    assert "6 turns" in (await way.send(*turns[:6])).headers["x-hunyuan-fix-warning"]
    got = await way.send(*turns)
    assert (got.status_code, "made 8 turns" in got.json()["error"]["message"]) == (400, True)
    assert (await way.send(*turns, "go on")).status_code == 200
    got = await way.send(*turns, "go on", *turns[:5])
    assert (got.status_code, got.headers.get("x-hunyuan-fix-warning")) == (200, None)


async def test_every_exchange_has_its_session(way: Way) -> None:
    await way.send()
    await way.send([SAME])
    await way.send([SAME], x_session_id="mine")
    done = way.heard.data(events.DONE)
    first, second, third = [(one["session"], one["session_named"]) for one in done]
    assert first == second
    assert first[0] and not first[1]
    assert third[0] != first[0] and third[1]
    assert [one["session"] for one in way.heard.data(events.REPAIRED)] == [one["session"] for one in done]


async def test_another_key_is_another_session(chat: Way) -> None:
    await chat.send()
    await chat.send(authorization="Bearer sk-another")
    one, other = [done["session"] for done in chat.heard.data(events.DONE)]
    assert one != other


async def test_the_same_request_again_and_again(way: Way) -> None:
    got = [await way.send("hi") for _ in range(4)]
    assert [one.status_code for one in got] == [200, 200, 200, 400]
    assert "the same request came 3 times" in got[2].headers["x-hunyuan-fix-warning"]
    assert "The same request came 4 times within a minute" in got[3].json()["error"]["message"]
    assert (await way.send("hello")).status_code == 200


async def test_a_header_lets_an_agent_go_on(way: Way) -> None:
    for _ in range(6):
        got = await way.send(*[[SAME]] * 20, x_hunyuan_runaway="off")
        assert (got.status_code, got.headers.get("x-hunyuan-fix-warning")) == (200, None)
    assert all("x-hunyuan-runaway" not in request.headers for request in way.endpoint.arrived)
    assert way.counted() == {}


async def test_observe_only_says_so(trust: Trust, endpoint: Endpoint) -> None:
    async for way in run_way(trust, endpoint, "chat", hunyuan_mode="observe"):
        got = await way.send(*[[SAME]] * REFUSED)
        assert got.status_code == 200
        assert got.headers["x-hunyuan-fix-warning"] == "would be answered with 400 by the proxy"
        assert way.counted() == {("same_call", "observed"): 1}


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        ("anthropic", {"user-agent": "claude-cli/2.1.332 (external, cli)", "anthropic-version": "2023-06-01"}, 402),
        ("anthropic", {"user-agent": "Anthropic/Python 2.14.0", "anthropic-version": "2023-06-01"}, 400),
        ("responses", {"user-agent": "codex_exec/0.171.0", "originator": "codex_exec"}, 400),
        ("responses", {"user-agent": "OpenAI/Python 3.57.0"}, 400),
        ("chat", {"user-agent": "opencode/1.18.33"}, 400),
    ],
)
async def test_each_client_gets_what_it_takes_as_final(
    trust: Trust, endpoint: Endpoint, form: str, headers: dict[str, str], status: int
) -> None:
    """docs/facts/clients.md#retries, docs/facts/anthropic.md#errors, docs/facts/responses.md#errors."""
    async for way in run_way(trust, endpoint, form, hunyuan_language="zh"):
        got = await way.send(*[[SAME]] * REFUSED, **headers)
        assert (got.status_code, got.headers["x-should-retry"]) == (status, "false")
        assert "hunyuan_same_call" in got.json()["error"]["message"]
        assert "连续调用 read 5 次" in got.json()["error"]["message"]


async def test_a_compacted_history_is_counted_on(chat: Way) -> None:
    summary = "This session is being continued from a previous conversation. The summary: …"
    calls = [[Did("read", {"path": str(number)}, str(number))] for number in range(30)]
    bounds = {"hunyuan_max_iterations": "18/20"}
    chat.proxy.master.options.update(**bounds)
    named = {"x_session_id": "mine"}
    assert (await chat.send(*calls[:17], **named)).status_code == 200
    got = await chat.send(summary, *calls[17:18], **named)
    assert "18 turns" in got.headers["x-hunyuan-fix-warning"]
    assert (await chat.send(summary, *calls[17:18], x_session_id="another")).headers.get(
        "x-hunyuan-fix-warning"
    ) is None
    assert (await chat.send(summary, *calls[17:20], **named)).status_code == 400
    assert (await chat.send(summary, *calls[17:20], "go on", *calls[20:22], **named)).status_code == 200


async def test_what_is_kept_here_is_counted_as_if_it_had_come(trust: Trust, endpoint: Endpoint) -> None:
    """A client of the Responses API that sends only what is new."""
    function = {"name": "read", "arguments": '{"path": "a"}'}
    call = {"id": "call_1", "type": "function", "function": function}
    message = {"role": "assistant", "tool_calls": [call]}
    asks = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    async for way in run_way(trust, endpoint, "responses"):
        endpoint.answer = lambda request: json_answer(asks)
        got = await way.post(body_of("responses", []))
        statuses = []
        for _ in range(REFUSED):
            made = next(item for item in got.json()["output"] if item["type"] == "function_call")
            result = {"type": "function_call_output", "call_id": made["call_id"], "output": "nothing"}
            body = {"model": "hy3", "previous_response_id": got.json()["id"], "input": [result]}
            got = await way.post(body)
            statuses.append(got.status_code)
        assert statuses == [200] * (REFUSED - 1) + [400]
        assert len({done["session"] for done in way.heard.data(events.DONE)}) == 1


async def test_what_the_endpoint_keeps_is_counted_by_its_conversation(
    trust: Trust, endpoint: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "keeps.toml").write_text('extends = "tokenhub"\nhosts = []\n[native.responses]\nstores = true\n')

    def new(text: str) -> JsonObject:
        item = {"type": "function_call_output", "call_id": "c", "output": text}
        return {"model": "hy3", "conversation": "conv_1", "input": [item]}

    keeping = {"hunyuan_profiles": str(tmp_path), "hunyuan_profile": "keeps"}
    async for way in run_way(trust, endpoint, "responses-native", **keeping):
        statuses = [(await way.post(new(str(number)))).status_code for number in range(9)]
        assert statuses == [200] * 7 + [400] * 2
        assert (await way.post({"model": "hy3", "conversation": "conv_1", "input": "go on"})).status_code == 200
        assert (await way.post(new("again"))).status_code == 200


async def test_many_at_once(chat: Way) -> None:
    got = await asyncio.gather(*(chat.send(*[[SAME]] * times) for times in range(1, 10)))
    assert [one.status_code for one in got] == [200] * 4 + [400] * 5
