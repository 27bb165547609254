"""The Responses API on a real server: responses, events, errors, faults, what is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.openai_facade import HINTS, Facade
from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.dialects.responses.event_order import check_response, read, response_in
from tests.simulator.test_openai_checks import FREE, SPACE, VISION, body, call, image, output, said, text, tool, user
from tests.simulator.test_server import running

RESPONSES = "/v1/responses"
FULL = Facade("tokenhub", HINTS, openai_words=True)
STRICT = Facade("tokenhub")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Of an endpoint that takes all."""
    async with running(profile="tokenhub", responses=FULL) as (_, client):
        yield client


def asked(said: str, **more: Any) -> dict[str, Any]:
    return body(user(text(said)), **more)


async def test_a_response(client: httpx.AsyncClient) -> None:
    made = (await client.post(RESPONSES, json=asked("[[sim:say hello]]", metadata={"a": "b"}))).json()
    check_response(made, "completed")
    part = {"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}
    (item,) = made["output"]
    assert item | {"id": ""} == {
        "type": "message",
        "id": "",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    assert (made["model"], made["metadata"], made["store"], made["truncation"]) == ("hy3", {"a": "b"}, True, "disabled")


TOOLS = [
    tool(),
    FREE,
    SPACE,
    {"type": "tool_search"},
    {"type": "local_shell"},
    {"type": "shell"},
    {"type": "apply_patch"},
]


@pytest.mark.parametrize(
    ("said", "more", "kinds", "status"),
    [
        ("[[sim:say one two three]]", {}, ["message"], "completed"),
        ("[[sim:say a longer word]][[sim:length]]", {}, ["message"], "incomplete"),
        ("[[sim:sensitive]]", {}, ["message"], "incomplete"),
        ("[[sim:say a]][[sim:chunks 9]]", {}, ["message"], "completed"),
        ("hi", {"reasoning": {"effort": "high", "summary": "auto"}}, ["reasoning", "message"], "completed"),
        ("hi", {"reasoning": {"summary": "auto"}}, ["message"], "completed"),
        ("[[sim:reasoning because]][[sim:say so]]", {}, ["reasoning", "message"], "completed"),
        ('[[sim:say]][[sim:tool ls {"a": 1}]][[sim:tool ls {}]]', {}, ["function_call"] * 2, "completed"),
        ('[[sim:say]][[sim:tool apply_patch {"input": "x"}]]', {"tools": [FREE]}, ["custom_tool_call"], "completed"),
        ('[[sim:say]][[sim:tool files__ls {"a": 1}]]', {}, ["function_call"], "completed"),
        ('[[sim:say]][[sim:tool tool_search {"q": 1}]]', {}, ["tool_search_call"], "completed"),
        ('[[sim:say]][[sim:tool local_shell {"command": []}]]', {}, ["local_shell_call"], "completed"),
        ('[[sim:say]][[sim:tool shell {"commands": []}]]', {}, ["shell_call"], "completed"),
        ('[[sim:say]][[sim:tool apply_patch {"path": "a"}]]', {"tools": [TOOLS[6]]}, ["apply_patch_call"], "completed"),
        ("[[sim:say]][[sim:tool unknown {}]]", {}, ["function_call"], "completed"),
        ("hello", {"tool_choice": "required"}, ["message", "function_call"], "completed"),
        ("hello", {"tool_choice": {"type": "function", "name": "ls"}}, ["message", "function_call"], "completed"),
        ("hello", {"tool_choice": {"type": "shell"}}, ["message", "shell_call"], "completed"),
        (
            "hello",
            {"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "shell"}]}},
            ["message", "shell_call"],
            "completed",
        ),
        ("use ls", {"tool_choice": "none"}, ["message"], "completed"),
    ],
)  # fmt: skip
async def test_a_stream_says_what_a_response_says(
    client: httpx.AsyncClient, said: str, more: dict[str, Any], kinds: list[str], status: str
) -> None:
    given = asked(said, **{"tools": TOOLS[:6], **more})
    whole = (await client.post(RESPONSES, json=given)).json()
    streamed = response_in((await client.post(RESPONSES, json=given | {"stream": True})).content)
    check_response(whole, status)
    for response in (whole, streamed):
        del response["id"], response["created_at"]
        for item in response["output"]:
            item.pop("call_id", None), item.pop("id")
    assert streamed == whole
    assert [item["type"] for item in whole["output"]] == kinds


async def test_calls_name_what_is_called(client: httpx.AsyncClient) -> None:
    wanted = '[[sim:say]][[sim:tool files__ls {"a": 1}]][[sim:tool apply_patch {"input": "*** Begin"}]]'
    given = asked(wanted, tools=TOOLS[:3])
    first, second = (await client.post(RESPONSES, json=given)).json()["output"]
    assert (first["namespace"], first["name"], first["arguments"]) == ("files", "ls", '{"a": 1}')
    assert (second["name"], second["input"]) == ("apply_patch", "*** Begin")


async def test_what_the_model_reads(client: httpx.AsyncClient) -> None:
    def first_text(answer: httpx.Response) -> str:
        said: str = answer.json()["output"][0]["content"][0]["text"]
        return said

    developer = {"role": "developer", "content": "two"}
    given = body(developer, user(text("[[sim:echo-system]]")), instructions="one")
    assert first_text(await client.post(RESPONSES, json=given)) == "one\ntwo"
    history = body(user(), call(), output(output=[text("from the tool")]), tools=[tool()])
    assert "from the tool" in first_text(await client.post(RESPONSES, json=history))
    url = data_url(png_with_text("a red square"))
    seen = body(user(image(image_url=url)), model=VISION)
    assert "a red square" in first_text(await client.post(RESPONSES, json=seen))
    unreadable = body(user(image(image_url="data:image/png;base64,aGk=")), model=VISION)
    assert (await client.post(RESPONSES, json=unreadable)).headers["x-sim-row"] == "image"
    added = {"type": "additional_tools", "role": "developer", "tools": [tool(name="added")]}
    made = (await client.post(RESPONSES, json=body(added, user(text("use added"))))).json()
    assert made["output"][-1]["name"] == "added"


async def test_reasoning_is_sealed_where_asked(client: httpx.AsyncClient) -> None:
    for include, is_sealed in (([], False), (["reasoning.encrypted_content"], True)):
        given = asked("[[sim:reasoning so]]", include=include)
        thought = (await client.post(RESPONSES, json=given)).json()["output"][0]
        assert thought["content"] == [{"type": "reasoning_text", "text": "so"}] and thought["summary"] == []
        assert (thought["encrypted_content"] is not None) == is_sealed


async def test_json_where_a_format_asks_for_it(client: httpx.AsyncClient) -> None:
    made = (await client.post(RESPONSES, json=asked("hi", text={"format": {"type": "json_object"}}))).json()
    json.loads(made["output"][0]["content"][0]["text"])


async def test_answers_are_kept(client: httpx.AsyncClient) -> None:
    first = (await client.post(RESPONSES, json=asked("[[sim:say]][[sim:tool ls {}]]", tools=[tool()]))).json()
    made = first["output"][0]
    given = body(output(made["call_id"], output="seen"), previous_response_id=first["id"])
    second = (await client.post(RESPONSES, json=given)).json()
    assert "seen" in second["output"][0]["content"][0]["text"]
    kept = (await client.get(f"{RESPONSES}/{second['id']}/input_items")).json()["data"]
    assert [item.get("type", "message") for item in kept] == ["function_call_output", "function_call", "message"]
    assert (await client.get(f"{RESPONSES}/{first['id']}")).json() == first
    assert (await client.post(f"{RESPONSES}/{first['id']}/cancel")).json() == first
    referred = body(user(), {"type": "item_reference", "id": made["id"]}, output(made["call_id"]))
    assert "工具返回：x" in (await client.post(RESPONSES, json=referred)).json()["output"][0]["content"][0]["text"]
    assert (await client.delete(f"{RESPONSES}/{first['id']}")).json()["deleted"]
    gone = await client.post(RESPONSES, json=body(user(), previous_response_id=first["id"]))
    assert gone.json()["error"]["code"] == "previous_response_not_found"
    unkept = (await client.post(RESPONSES, json=asked("hi", store=False))).json()
    assert (await client.get(f"{RESPONSES}/{unkept['id']}")).status_code == 404


async def test_a_conversation_is_compacted(client: httpx.AsyncClient) -> None:
    trigger = {"type": "compaction_trigger"}
    made = (await client.post(RESPONSES, json=body(user(text("my words")), trigger))).json()
    (item,) = made["output"]
    assert item["type"] == "compaction"
    after = body(item, user(text("[[sim:echo-system]]")))
    assert (await client.post(RESPONSES, json=after)).json()["output"][0]["content"][0]["text"] == "my words"
    compacted = (await client.post(f"{RESPONSES}/compact", json=body(user(text("a")), said()))).json()
    assert compacted["object"] == "response.compaction"
    assert [item.get("type", "message") for item in compacted["output"]] == ["message", "compaction"]


async def test_tokens_are_counted(client: httpx.AsyncClient) -> None:
    counted = (await client.post(f"{RESPONSES}/input_tokens", json=asked("word " * 400))).json()
    assert counted["object"] == "response.input_tokens" and 450 < counted["input_tokens"] < 600


async def test_errors_are_in_the_facade_s_words(client: httpx.AsyncClient) -> None:
    refused = await client.post(RESPONSES, json=asked("hi", n=1))
    assert (refused.status_code, refused.headers["x-sim-row"]) == (400, "unknown")
    assert refused.json()["error"] == {
        "message": "Unknown parameter: 'n'.",
        "type": "invalid_request_error",
        "param": "n",
        "code": "unknown_parameter",
    }
    long = await client.post(RESPONSES, json=asked("x" * 800_000))
    assert long.json()["error"]["code"] == "context_length_exceeded"
    assert (await client.post(RESPONSES, json=asked("hi"), headers={"authorization": ""})).status_code == 401
    async with running(profile="tokenhub", responses=STRICT) as (_, strict):
        refused = await strict.post(RESPONSES, json=asked("hi", tools=[FREE]))
        assert (refused.status_code, refused.headers["x-sim-row"]) == (400, "tool")
        assert refused.json()["error"]["message"] == "invalid parameter 'tools[0].type'"
        long = await strict.post(RESPONSES, json=asked("x" * 800_000))
        assert "input token length too long" in long.json()["error"]["message"]
        assert (await strict.post(RESPONSES, json=asked("[[sim:sensitive]]"))).status_code == 451
        assert (await strict.post(RESPONSES, json=asked("hi"))).status_code == 200


async def test_who_has_no_responses_api() -> None:
    async with running(profile="tokenhub", responses=STRICT) as (_, client):
        assert (await client.post(RESPONSES, json=asked("hi", model="kimi-k2.6"))).status_code == 404
        assert (await client.post(RESPONSES, json=asked("hi", model="no-such-model"))).status_code == 400
        assert (await client.get(f"{RESPONSES}/resp_1")).status_code == 404
    async with running(profile="tokenhub") as (_, client):
        assert (await client.post(RESPONSES, json=asked("hi"))).status_code == 404
    async with running() as (_, client):
        assert (await client.post(RESPONSES, json=asked("hi"))).status_code == 404


@pytest.mark.parametrize(
    ("fault", "status"), [("rate_limit", 429), ("internal", 502), ("status:503", 503), ("html_502", 502)]
)
async def test_faults_come_in_its_place(client: httpx.AsyncClient, fault: str, status: int) -> None:
    answer = await client.post(RESPONSES, json=asked("hi"), headers={"x-sim-fault": fault})
    assert answer.status_code == status


@pytest.mark.parametrize("fault", ["no_done", "no_finish", "malformed_sse", "error_event_mid", "error_event_first"])
async def test_faults_disturb_a_stream(client: httpx.AsyncClient, fault: str) -> None:
    given = asked("[[sim:say hello]]", stream=True)
    answer = await client.post(RESPONSES, json=given, headers={"x-sim-fault": fault})
    assert answer.status_code == 200
    if fault == "error_event_first":
        assert read(answer.content).error is not None
    else:
        with pytest.raises((AssertionError, ValueError)):
            response_in(answer.content)


async def test_a_stream_can_be_cut(client: httpx.AsyncClient) -> None:
    given = asked("[[sim:say hello]]", stream=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(RESPONSES, json=given, headers={"x-sim-fault": "cut:3"})
