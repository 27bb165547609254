"""Web search through a real mitmproxy: a model that asks for searches, a program that finds, an answer in blocks."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.exchange import KEY
from hunyuan_fix.simulator import checks
from hunyuan_fix.steps.web_search import SEARCHES
from tests.dialects.anthropic import event_order
from tests.dialects.anthropic.answering import answer, call
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, json_answer, run_proxy

PRINTS = """
import json, sys
query = sys.argv[1]
if query == "fail": sys.exit(1)
print(json.dumps({"results": [
    {"url": "https://a.example/1", "title": "One", "content": "about " + query},
    {"url": "https://b.example/2", "title": "Two", "content": "more"}]}))
"""
TOOL = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
ASKED: dict[str, Any] = {
    "model": "hunyuan-turbos-latest",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "What is the weather?"}],
    "tools": [TOOL],
}
OWN = {"name": "ls", "input_schema": {"type": "object", "properties": {}}}
USED = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def searches(*queries: str, **message: Any) -> dict[str, Any]:
    """An answer that asks for searches."""
    calls = [call("web_search", json.dumps({"query": query}), f"call_{query}") for query in queries]
    return {**answer("tool_calls", tool_calls=calls, **message), "usage": USED}


def says(text: str) -> dict[str, Any]:
    return {**answer(content=text), "usage": USED}


def in_turn(*answers: dict[str, Any]) -> Callable[[Arrived], Answer]:
    waiting = iter(answers)
    return lambda _: json_answer(next(waiting))


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> AsyncIterator[Proxy]:
    program = tmp_path / "search.py"
    program.write_text(PRINTS)
    command = shlex.join([sys.executable, str(program), "{query}"])
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_search_command=command) as running:
        yield running


async def ask(proxy: Proxy, **beside: Any) -> Any:
    async with proxy.client() as client:
        return await client.post("/messages", json={**ASKED, **beside}, headers={"x-api-key": "sk-test"})


def kinds(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["content"]]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_search_and_its_answer(proxy: Proxy, endpoint: Endpoint, stream: bool) -> None:
    endpoint.answer = in_turn(searches("weather", content="I look."), says("It rains [1]."))
    answered = await ask(proxy, stream=stream)
    made = event_order.message_in(answered.content) if stream else answered.json()
    assert kinds(made) == ["text", "server_tool_use", "web_search_tool_result", "text", "text"]
    assert [page["url"] for page in made["content"][2]["content"]] == ["https://a.example/1", "https://b.example/2"]
    assert made["content"][3]["citations"][0]["cited_text"] == "about weather"
    assert made["stop_reason"] == "end_turn"
    assert made["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    assert (made["usage"]["input_tokens"], made["usage"]["output_tokens"]) == (20, 10)
    assert "web-search" in answered.headers["x-hunyuan-fix"]
    first, second = (request.json for request in endpoint.arrived)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["web_search"]
    assert [message["role"] for message in second["messages"][-2:]] == ["assistant", "tool"]
    assert "[1] One\nhttps://a.example/1\nabout weather" in second["messages"][-1]["content"]
    assert all(not request.json.get("stream") for request in endpoint.arrived)
    assert {request.headers["authorization"] for request in endpoint.arrived} == {"Bearer sk-test"}
    assert proxy.addon.runtime.metrics.value(SEARCHES, "found") == 1


async def test_the_pages_stand_in_a_saved_flow_as_its_client_got_them_and_no_more(
    proxy: Proxy, endpoint: Endpoint
) -> None:
    flows: list[Any] = []
    proxy.master.addons.add(Taking(flows))
    endpoint.answer = in_turn(searches("weather"), says("It rains [1]."))
    await ask(proxy)
    (flow,) = flows
    assert "about weather" not in json.dumps(flow.metadata[KEY]["notes"])


class Taking:
    """Takes each flow whose answer is complete."""

    def __init__(self, flows: list[Any]) -> None:
        self._flows = flows

    def response(self, flow: Any) -> None:
        self._flows.append(flow)


async def test_no_more_than_were_allowed(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = in_turn(searches("a", "b", "c"), says("done"))
    made = (await ask(proxy)).json()
    results = [block["content"] for block in made["content"] if block["type"] == "web_search_tool_result"]
    assert [isinstance(found, list) for found in results] == [True, True, False]
    assert results[2]["error_code"] == "max_uses_exceeded"
    assert made["usage"]["server_tool_use"] == {"web_search_requests": 2, "web_fetch_requests": 0}


async def test_the_searches_of_all_rounds_count(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = in_turn(searches("a"), searches("b"), searches("c"), says("done"))
    made = (await ask(proxy)).json()
    assert made["usage"]["server_tool_use"] == {"web_search_requests": 2, "web_fetch_requests": 0}


async def test_searches_that_fail_count_too(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = in_turn(searches("fail"), searches("fail"), searches("a"), says("done"))
    made = (await ask(proxy)).json()
    results = [block["content"] for block in made["content"] if block["type"] == "web_search_tool_result"]
    assert [found["error_code"] for found in results] == ["unavailable", "unavailable", "max_uses_exceeded"]


async def test_neither_client_nor_model_starts_any_number_of_programs(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = in_turn(searches(*map(str, range(30))), says("done"))
    made = (await ask(proxy, tools=[{**TOOL, "max_uses": 10**9}])).json()
    assert made["usage"]["server_tool_use"] == {"web_search_requests": 20, "web_fetch_requests": 0}


async def test_what_is_said_before_several_searches_is_said_once(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = in_turn(searches("a", "b", content="I look."), says("done"))
    made = (await ask(proxy)).json()
    assert [block["text"] for block in made["content"] if block["type"] == "text"] == ["I look.", "done"]


async def test_what_the_model_said_is_sent_as_the_endpoint_takes_it(proxy: Proxy, endpoint: Endpoint) -> None:
    asks = searches("a", "b", refusal=None, annotations=[])
    for found in asks["choices"][0]["message"]["tool_calls"]:
        del found["id"]
    endpoint.answer = in_turn(asks, says("done"))
    await ask(proxy)
    sent = endpoint.arrived[1].json
    assert checks.problems(sent, "hunyuan") is None
    assistant, first, second = sent["messages"][-3:]
    assert [found["id"] for found in assistant["tool_calls"]] == [first["tool_call_id"], second["tool_call_id"]]
    assert "about a" in first["content"]
    assert "about b" in second["content"]


async def test_a_model_that_searches_for_ever_has_to_answer(proxy: Proxy, endpoint: Endpoint) -> None:
    def forever(request: Arrived) -> Answer:
        return json_answer(searches("again") if request.json.get("tools") else says("enough"))

    endpoint.answer = forever
    made = (await ask(proxy)).json()
    assert made["content"][-1]["text"] == "enough"
    assert len(endpoint.arrived) == 10


async def test_a_forced_search_is_forced_once(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = in_turn(searches("a"), says("done"))
    options: dict[str, Any] = {
        "hunyuan_search_command": "/bin/false",
        "hunyuan_keep_params": "tool_choice,stream_options",
    }
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy:
        await ask(proxy, tool_choice={"type": "tool", "name": "web_search"}, stream=True)
    assert all("stream_options" not in request.json for request in endpoint.arrived)
    chosen = [request.json["tool_choice"] for request in endpoint.arrived]
    assert chosen == [{"type": "function", "function": {"name": "web_search"}}, "auto"]


async def test_a_search_that_fails_is_said_and_the_agent_goes_on(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = in_turn(searches("fail"), says("I don't know."))
    made = (await ask(proxy)).json()
    assert made["content"][1]["content"] == {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    assert made["content"][2]["text"] == "I don't know."
    assert "Error: unavailable" in endpoint.arrived[1].json["messages"][-1]["content"]


async def test_calls_of_the_clients_own_tools_are_its_own(proxy: Proxy, endpoint: Endpoint) -> None:
    mixed = searches("a", content="Both.")
    mixed["choices"][0]["message"]["tool_calls"].append(call("ls", "{}", "call_1"))
    endpoint.answer = in_turn(mixed)
    made = (await ask(proxy, tools=[TOOL, OWN])).json()
    assert kinds(made) == ["text", "server_tool_use", "web_search_tool_result", "tool_use"]
    assert (made["content"][3]["name"], made["stop_reason"]) == ("ls", "tool_use")


async def test_an_answer_without_a_search_is_one(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = in_turn(says("Hello."))
    made = (await ask(proxy)).json()
    assert made["content"] == [{"type": "text", "text": "Hello."}]
    assert "server_tool_use" not in made["usage"]


async def test_domains_are_kept(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = in_turn(searches("a"), says("done"))
    made = (await ask(proxy, tools=[{**TOOL, "blocked_domains": ["a.example"]}])).json()
    assert [page["url"] for page in made["content"][1]["content"]] == ["https://b.example/2"]


@pytest.mark.parametrize("answered", [0, 1])
async def test_an_error_of_the_endpoint_is_the_clients(proxy: Proxy, endpoint: Endpoint, answered: int) -> None:
    refused = json_answer({"error": {"message": "no such model", "code": "model_not_found"}}, 404)
    waiting = iter([json_answer(searches("a")), refused][1 - answered :])
    endpoint.answer = lambda _: next(waiting)
    got = await ask(proxy)
    assert got.status_code == 404
    assert got.json()["type"] == "error"
    assert "no such model" in got.json()["error"]["message"]


@pytest.mark.parametrize("message", [{}, {"content": 7, "tool_calls": [7, {"function": 7}, {}]}])
async def test_answers_of_any_shape(proxy: Proxy, endpoint: Endpoint, message: Any) -> None:
    endpoint.answer = json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    got = await ask(proxy)
    assert (got.status_code, got.json()["type"]) == (200, "message")


async def test_a_call_without_a_query(proxy: Proxy, endpoint: Endpoint) -> None:
    bad = answer("tool_calls", tool_calls=[call("web_search", "{}", "call_1")])
    endpoint.answer = in_turn(bad, says("done"))
    made = (await ask(proxy)).json()
    assert made["content"][1]["content"]["error_code"] == "invalid_tool_input"


async def test_in_a_dry_run_nothing_is_searched(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = json_answer({"error": {"message": "not here"}}, 404)
    options: dict[str, Any] = {"hunyuan_search_command": "/bin/false", "hunyuan_mode": "observe"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy:
        got = await ask(proxy)
    assert "web-search" in got.headers["x-hunyuan-fix-observed"]
    assert endpoint.arrived[0].json == ASKED
