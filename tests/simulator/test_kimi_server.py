"""The stand-ins for Moonshot and its kin, over HTTP: both routes, their answers, and what they remember."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.anthropic_facade import Facade, usual
from hunyuan_fix.simulator.rows import ProfileName
from hunyuan_fix.simulator.server import Served, serve
from hunyuan_fix.simulator.settings import Settings
from hunyuan_fix.simulator.variant import Variant

type Body = dict[str, Any]

CHAT = "/v1/chat/completions"
MESSAGES = "/anthropic/v1/messages"
MISSING = "thinking is enabled but reasoning_content is missing in assistant tool call message at index"
LOOK_UP = {"name": "look_up", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": LOOK_UP}]
ASKED = {"role": "user", "content": "[[sim:tool look_up {}]]"}


@contextlib.asynccontextmanager
async def running(
    profile: ProfileName = "moonshot", variant: Variant | None = None, **settings: Any
) -> AsyncIterator[tuple[Served, httpx.AsyncClient]]:
    given = Settings(profile=profile, facade=Facade(profile, usual(profile)), variant=variant or Variant(), **settings)
    headers = {"authorization": "Bearer key"}
    async with (
        serve(given) as served,
        httpx.AsyncClient(base_url=served.url, headers=headers, timeout=10, trust_env=False) as client,
    ):
        yield served, client


def chat(*messages: Body, model: str = "kimi-k2.6", **fields: Any) -> Body:
    return {"model": model, "messages": list(messages) or [{"role": "user", "content": "hi"}], **fields}


def result(call: Body, content: str = "found") -> Body:
    return {"role": "tool", "tool_call_id": call["id"], "content": content}


async def said(client: httpx.AsyncClient, body: Body, path: str = CHAT) -> Body:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    read: Body = answer.json()
    return read


async def refused(client: httpx.AsyncClient, body: Body, path: str = CHAT) -> tuple[int, str]:
    answer = await client.post(path, json=body)
    return answer.status_code, answer.json()["error"]["message"]


def streamed(text: str) -> list[Body]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


async def test_reasoning_that_comes_back_is_told_from_what_was_made_up() -> None:
    async with running() as (served, client):
        first = (await said(client, chat(ASKED, tools=TOOLS)))["choices"][0]["message"]
        (call,) = first["tool_calls"]
        assert call["id"] == "functions.look_up:0"
        again = {"role": "user", "content": 'again [[sim:tool look_up {"a": 1}]]'}
        whole = [ASKED, first, result(call), again]
        second = (await said(client, chat(*whole, tools=TOOLS)))["choices"][0]["message"]
        assert second["tool_calls"][0]["id"] == "functions.look_up:1"
        assert second["reasoning_content"] != first["reasoning_content"]
        lost = {key: value for key, value in first.items() if key != "reasoning_content"}
        end = [result(second["tool_calls"][0])]
        turns = {
            "real": first,
            "made up": lost | {"reasoning_content": "I thought of it."},
            "foreign": lost | {"reasoning_content": second["reasoning_content"]},
        }
        for what, turn in turns.items():
            await said(client, chat(ASKED, turn, result(call), again, second, *end, tools=TOOLS))
            reasoning = served.simulator.journal.requests[-1].reasoning
            assert reasoning is not None
            assert [one["what"] for one in reasoning] == [what, "real"]
        for turn in (lost, lost | {"reasoning_content": ""}, lost | {"reasoning_content": None}):
            refusal = await refused(client, chat(ASKED, turn, result(call), tools=TOOLS))
            assert refusal == (400, f"{MISSING} 1")
        assert await said(client, chat(ASKED, lost, result(call), tools=TOOLS, thinking={"type": "disabled"}))
        shown = (await client.get("/_sim/reasoning")).json()
        assert [one["what"] for one in shown[-2]] == ["missing"]
        assert (await client.get("/_sim/stats")).json()["by_reasoning"]["made up"] == 1


async def test_counts_stand_in_the_last_choice_and_what_was_read_before_is_cached() -> None:
    async with running() as (_, client):
        history = [{"role": "user", "content": f"question {number} " * 50} for number in range(3)]
        first = (await said(client, chat(*history[:2])))["usage"]
        assert first["cached_tokens"] == 0
        second = (await said(client, chat(*history)))["usage"]
        assert second["cached_tokens"] == first["prompt_tokens"] < second["prompt_tokens"]
        changed = (await said(client, chat(history[0], {"role": "user", "content": "other"}, history[2])))["usage"]
        assert 0 < changed["cached_tokens"] < first["prompt_tokens"]
        other = await said(client, chat(*history, prompt_cache_key="another"))
        assert other["usage"]["cached_tokens"] == 0
        text = (await client.post(CHAT, json=chat(*history, stream=True))).text
        chunks = streamed(text)
        assert chunks[-1]["choices"][0]["usage"]["cached_tokens"] == second["prompt_tokens"]
        assert all("usage" not in chunk for chunk in chunks)
        asked = chat(*history, stream=True, stream_options={"include_usage": True})
        assert streamed((await client.post(CHAT, json=asked)).text)[-1]["usage"]["prompt_tokens"]


@pytest.mark.parametrize(("usage", "places"), [("choice", [True, False]), ("chunk", [False, True])])
async def test_counts_may_stand_in_one_place_only(usage: str, places: list[bool]) -> None:
    async with running(variant=Variant(usage=usage)) as (_, client):
        asked = chat(stream=True, stream_options={"include_usage": True})
        chunks = streamed((await client.post(CHAT, json=asked)).text)
        in_choice = any("usage" in choice for chunk in chunks for choice in chunk["choices"])
        assert [in_choice, any("usage" in chunk for chunk in chunks)] == places


async def test_moonshot_estimates_tokens_and_counts_none_for_messages() -> None:
    async with running() as (_, client):
        body = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "x" * 400}]}
        assert (await said(client, body, "/v1/tokenizers/estimate-token-count"))["data"]["total_tokens"] > 100
        assert (await client.post(f"{MESSAGES}/count_tokens", json=body)).status_code == 404


@pytest.mark.parametrize(
    ("profile", "path", "model"),
    [
        ("moonshot", MESSAGES, "kimi-k2.6"),
        ("zenmux", "/api/anthropic/v1/messages", "moonshotai/kimi-k2.5"),
    ],
)
async def test_messages_demand_a_block_of_thinking_and_sign_none(profile: ProfileName, path: str, model: str) -> None:
    tools = [{"name": "look_up", "input_schema": {"type": "object"}}]
    asked = {"role": "user", "content": "[[sim:tool look_up {}]]"}
    body = {"model": model, "max_tokens": 4000, "tools": tools, "messages": [asked]}
    async with running(profile) as (served, client):
        first = await said(client, body, path)
        thinking, *_, use = first["content"]
        assert (thinking["type"], thinking["signature"], use["id"]) == ("thinking", "", "functions.look_up:0")
        back = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use["id"], "content": "found"}]}
        unsigned = {"type": "thinking", "thinking": thinking["thinking"]}
        text = [block for block in first["content"] if block["type"] == "text"]
        await said(
            client, body | {"messages": [asked, {"role": "assistant", "content": [unsigned, *text, use]}, back]}, path
        )
        reasoning = served.simulator.journal.requests[-1].reasoning
        assert reasoning is not None
        assert [one["what"] for one in reasoning] == ["real"]
        lost = body | {"messages": [asked, {"role": "assistant", "content": [*text, use]}, back]}
        answer = await client.post(path, json=lost)
        assert answer.status_code == 400
        assert answer.json()["type"] == "error"
        assert answer.json()["error"] == {"type": "invalid_request_error", "message": f"{MISSING} 1"}
        assert await said(client, lost | {"thinking": {"type": "disabled"}}, path)
        cached = (await said(client, body, path))["usage"]
        assert cached["cache_read_input_tokens"] > cached["input_tokens"]
        deltas = streamed((await client.post(path, json=body | {"stream": True})).text)
        assert not any(delta.get("delta", {}).get("type") == "signature_delta" for delta in deltas)


async def test_a_start_goes_on_only_in_partial_mode() -> None:
    async with running() as (_, client):
        question, start = {"role": "user", "content": '[[sim:say {"a": 1}]]'}, {"role": "assistant", "content": '{"a'}
        whole = await said(client, chat(question, start))
        assert whole["choices"][0]["message"]["content"] == '{"a": 1}'
        rest = await said(client, chat(question, start | {"partial": True}))
        assert rest["choices"][0]["message"]["content"] == '": 1}'


async def test_a_search_demands_its_arguments_back() -> None:
    search = [{"type": "builtin_function", "function": {"name": "$web_search"}}]
    off = {"type": "disabled"}
    question = {"role": "user", "content": "$web_search for it"}
    async with running() as (_, client):
        assert (await refused(client, chat(question, tools=search)))[0] == 400
        turn = (await said(client, chat(question, tools=search, thinking=off)))["choices"][0]["message"]
        (call,) = turn["tool_calls"]
        assert (call["type"], call["function"]["name"]) == ("builtin_function", "$web_search")
        for content, name in (("found", "$web_search"), (call["function"]["arguments"], None)):
            wrong = result(call, content) | ({"name": name} if name else {})
            assert (await refused(client, chat(question, turn, wrong, tools=search, thinking=off)))[0] == 400
        right = result(call, call["function"]["arguments"]) | {"name": "$web_search"}
        assert await said(client, chat(question, turn, right, tools=search, thinking=off))


async def test_thought_and_text_share_the_limit() -> None:
    async with running() as (_, client):
        cut = await said(client, chat(max_completion_tokens=10, max_tokens=5000))
        choice = cut["choices"][0]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("length", "")
        assert cut["usage"]["completion_tokens"] == 10


async def test_what_leaks_is_text() -> None:
    async with running(variant=Variant(leaks=frozenset({"think", "tools"}))) as (_, client):
        message = (await said(client, chat(ASKED, tools=TOOLS)))["choices"][0]["message"]
        assert "tool_calls" not in message
        assert "reasoning_content" not in message
        assert message["content"].startswith("<think>")
        assert "<|tool_call_begin|>functions.look_up:0<|tool_call_argument_begin|>{}" in message["content"]
    async with running() as (_, client):
        asked = ASKED | {"content": "[[sim:leak think]][[sim:say yes]]"}
        assert (await said(client, chat(asked)))["choices"][0]["message"]["content"].endswith("</think>yes")


async def test_another_field_and_ids_that_repeat() -> None:
    async with running(variant=Variant(reasoning_field="reasoning", repeating_ids=True)) as (_, client):
        first = (await said(client, chat(ASKED, tools=TOOLS)))["choices"][0]["message"]
        (call,) = first["tool_calls"]
        whole = chat(ASKED, first, result(call), ASKED | {"content": "more [[sim:tool look_up {}]]"}, tools=TOOLS)
        second = (await said(client, whole))["choices"][0]["message"]
        assert second["tool_calls"][0]["id"] == call["id"]
        renamed = {"reasoning_content" if key == "reasoning" else key: value for key, value in first.items()}
        assert (await refused(client, chat(ASKED, renamed, result(call))))[1] == f"{MISSING} 1"


async def test_plans_have_their_own_paths_refusals_and_counts() -> None:
    hi = {"role": "user", "content": "hi"}
    async with running("tokenhub-plan") as (served, client):
        assert await said(client, chat(hi, model="kimi-k2.6"), "/plan/v3/chat/completions")
        for model, code in (("hy3", "20098"), ("kimi-k2.5", "20098"), ("hy4-preview", "403002")):
            answer = await client.post("/coding/v3/chat/completions", json=chat(hi, model=model))
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
        listed = (await client.get("/plan/v3/models")).json()["data"]
        assert "kimi-k2.5" in [entry["id"] for entry in listed]
        body = {"model": "glm-5.2", "max_tokens": 10, "messages": [hi]}
        version = {"anthropic-version": "2023-06-01"}
        for path in ("/plan/anthropic/v1/messages", "/coding/anthropic/v1/messages"):
            assert (await client.post(path, json=body, headers=version)).status_code == 200
        for path in (CHAT, "/v1/responses", "/plan/v3/responses"):
            assert (await client.post(path, json=chat(hi, model="glm-5.2"))).status_code == 404
        assert served.simulator.journal.repeats == 5
    async with running("tokenhub-plan", Variant(intl=True)) as (_, client):
        assert (await client.get("/plan/v3/models")).status_code == 404


async def test_the_coding_host_serves_coding_agents() -> None:
    async with running("kimi-coding") as (_, client):
        body = chat(model="kimi-for-codnig")  # a mistyped id is answered by the standard model
        answer = await client.post("/coding/v1/chat/completions", json=body, headers={"user-agent": "curl/8"})
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "access_terminated_error")
        agent = {"user-agent": "claude-cli/2.1.197 (external, cli)"}
        assert (await client.post("/coding/v1/chat/completions", json=body, headers=agent)).status_code == 200
        twice = await client.post("/coding/v1/v1/messages", json=body | {"max_tokens": 9}, headers=agent)
        assert twice.status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("overload", 429, "engine_overloaded_error"),
        ("rate_limit", 429, "rate_limit_reached_error"),
        ("quota", 429, "exceeded_current_quota_error"),
        ("internal", 500, "server_error"),
    ],
)
async def test_faults_have_moonshots_words(fault: str, status: int, kind: str) -> None:
    async with running() as (_, client):
        answer = await client.post(CHAT, json=chat(), headers={"x-sim-fault": fault})
        assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


async def test_deepseek_says_it_otherwise() -> None:
    async with running("deepseek") as (_, client):
        first = (await said(client, chat(ASKED, model="deepseek-v4-pro", tools=TOOLS)))["choices"][0]["message"]
        del first["reasoning_content"]
        lost = chat(ASKED, first, result(first["tool_calls"][0]), model="deepseek-v4-pro")
        said_then = "The `reasoning_content` in the thinking mode must be passed back to the API."
        assert await refused(client, lost) == (400, said_then)
        assert "prompt_cache_hit_tokens" in (await said(client, chat(model="deepseek-v4-flash")))["usage"]
