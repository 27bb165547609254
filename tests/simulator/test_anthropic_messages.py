"""The Messages API on a real server: messages, events, counts, errors, faults."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.anthropic_facade import HINTS, Facade
from hunyuan_fix.simulator.vision import png_with_text
from tests.dialects.anthropic.event_order import message_in
from tests.simulator.test_anthropic_checks import PNG, VISION, assistant, body, result, text, tool, use, user
from tests.simulator.test_server import running

MESSAGES = "/v1/messages"
HEADERS = {"anthropic-version": "2023-06-01"}
TOKENHUB = {"profile": "tokenhub", "facade": Facade("tokenhub")}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with running(**TOKENHUB) as (_, client):
        client.headers.update(HEADERS)
        yield client


def asked(said: str, **more: Any) -> dict[str, Any]:
    return body(user(text(said)), **more)


def events_of(answer: httpx.Response) -> list[dict[str, Any]]:
    found = []
    for block in answer.text.strip().split("\n\n"):
        name, data = (line.partition(": ")[2] for line in block.splitlines())
        found.append(json.loads(data))
        assert found[-1]["type"] == name
    return found


async def test_a_message(client: httpx.AsyncClient) -> None:
    answer = await client.post("/anthropic/v1/messages?beta=true", json=asked("[[sim:say hello]]"))
    message = answer.json()
    assert message.pop("id").startswith("msg_")
    assert message.pop("usage").keys() >= {"input_tokens", "output_tokens"}
    assert message == {
        "type": "message",
        "role": "assistant",
        "model": "hy3",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
    }


@pytest.mark.parametrize(
    ("said", "more", "reason"),
    [
        ("[[sim:say one two three]]", {}, "end_turn"),
        ("[[sim:say a longer word]][[sim:length]]", {}, "max_tokens"),
        ('[[sim:say]][[sim:tool ls {"path": "a"}]][[sim:tool ls {}]]', {"tools": [tool()]}, "tool_use"),
        (
            "[[sim:reasoning because]][[sim:say so]]",
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            "end_turn",
        ),
        ("[[sim:say one STOP two]]", {"stop_sequences": ["two", "STOP"]}, "stop_sequence"),
        ("hello", {"tools": [tool()], "tool_choice": {"type": "any"}}, "tool_use"),
        ("hello", {"tools": [tool()], "tool_choice": {"type": "tool", "name": "ls"}}, "tool_use"),
        ("use ls", {"tools": [tool()], "tool_choice": {"type": "none"}}, "end_turn"),
    ],
)
async def test_a_stream_says_what_a_message_says(
    client: httpx.AsyncClient, said: str, more: dict[str, Any], reason: str
) -> None:
    whole = (await client.post(MESSAGES, json=asked(said, **more))).json()
    streamed = message_in((await client.post(MESSAGES, json=asked(said, stream=True, **more))).content)
    for message in (whole, streamed):
        del message["id"]
        for block in message["content"]:
            block.pop("id", None)
    assert streamed == whole
    assert whole["stop_reason"] == reason


async def test_what_the_model_reads(client: httpx.AsyncClient) -> None:
    said = body(user(text("[[sim:echo-system]]")), system=[text("one"), text("two")])
    assert (await client.post(MESSAGES, json=said)).json()["content"][0]["text"] == "one\ntwo"
    history = body(user(), assistant(use()), user(result(content=[text("from the tool")]), text("on")), tools=[tool()])
    assert "from the tool" in (await client.post(MESSAGES, json=history)).json()["content"][0]["text"]
    picture = PNG | {"data": base64.b64encode(png_with_text("a red square")).decode()}
    seen = body(user({"type": "image", "source": picture}), model=VISION)
    assert "a red square" in (await client.post(MESSAGES, json=seen)).json()["content"][0]["text"]
    unreadable = body(user({"type": "image", "source": PNG}), model=VISION)
    assert (await client.post(MESSAGES, json=unreadable)).headers["x-sim-row"] == "image"


async def test_the_first_stop_sequence_ends_it(client: httpx.AsyncClient) -> None:
    said = asked("[[sim:say one STOP two]]", stop_sequences=["two", "STOP"])
    message = (await client.post(MESSAGES, json=said)).json()
    assert (message["content"][0]["text"], message["stop_sequence"]) == ("one ", "STOP")


async def test_calls_have_ids_of_the_dialect(client: httpx.AsyncClient) -> None:
    said = asked('[[sim:tool ls {"path": "a"}]]', tools=[tool()])
    (made,) = [
        block for block in (await client.post(MESSAGES, json=said)).json()["content"] if block["type"] == "tool_use"
    ]
    assert made.pop("id").startswith("toolu_")
    assert made == {"type": "tool_use", "name": "ls", "input": {"path": "a"}}


async def test_a_format_gets_json() -> None:
    async with running(profile="tokenhub", facade=Facade("tokenhub", HINTS)) as (_, client):
        wanted = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
        answer = await client.post(MESSAGES, json=asked("[[sim:say yes]]", output_config=wanted), headers=HEADERS)
    assert json.loads(answer.json()["content"][0]["text"]) == {"answer": "yes"}


async def test_thinking_that_is_omitted_leaves_a_signature() -> None:
    async with running(profile="tokenhub", facade=Facade("tokenhub", HINTS)) as (_, client):
        given = {"thinking": {"type": "adaptive", "display": "omitted"}}
        answer = await client.post(MESSAGES, json=asked("[[sim:say so]]", **given), headers=HEADERS)
        thought = answer.json()["content"][0]
    assert (thought["type"], thought["thinking"]) == ("thinking", "")
    assert thought["signature"]


async def test_tokens_are_counted(client: httpx.AsyncClient) -> None:
    given = {"model": "hy3", "messages": [user(text("word " * 400))]}
    counted = (await client.post(f"{MESSAGES}/count_tokens", json=given)).json()
    assert 400 < counted["input_tokens"] < 600
    more = await client.post(f"{MESSAGES}/count_tokens", json=given | {"tools": [tool(description="d" * 400)]})
    assert more.json()["input_tokens"] > counted["input_tokens"] + 100


async def test_keys_and_errors_are_in_the_dialect(client: httpx.AsyncClient) -> None:
    for given in ({"x-api-key": "k", "authorization": ""}, {"authorization": "Bearer k"}):
        assert (await client.post(MESSAGES, json=asked("hi"), headers=given)).status_code == 200
    answer = await client.post(MESSAGES, json=asked("hi"), headers={"authorization": ""})
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
    refused = await client.post(MESSAGES, json=asked("hi", output_config={}))
    assert refused.json()["type"] == "error"
    assert refused.json()["error"] == {
        "type": "invalid_request_error",
        "message": "invalid parameter 'output_config'",
    }
    assert refused.headers["x-sim-row"] == "extra"
    unknown = await client.post(MESSAGES, json=asked("hi", model="claude-x"))
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found_error")
    broken = await client.post(MESSAGES, content=b"{")
    assert (broken.status_code, broken.json()["error"]["type"]) == (400, "invalid_request_error")
    moderated = await client.post(MESSAGES, json=asked("[[sim:sensitive]]"))
    assert (moderated.status_code, moderated.json()["type"]) == (451, "error")


async def test_it_refuses_in_anthropic_s_words_if_it_is_told_to() -> None:
    facade = Facade("tokenhub", anthropic_words=True)
    async with running(profile="tokenhub", facade=facade, max_input=100) as (_, client):
        refused = await client.post(MESSAGES, json=asked("hi", output_config={}), headers=HEADERS)
        assert refused.json()["error"]["message"] == "output_config: Extra inputs are not permitted"
        overlong = await client.post(MESSAGES, json=asked("word " * 400), headers=HEADERS)
        assert overlong.json()["error"]["message"].startswith("prompt is too long: ")


@pytest.mark.parametrize(
    ("fault", "status", "type_"),
    [
        ("rate_limit", 429, "rate_limit_error"),
        ("quota", 402, "billing_error"),
        ("internal", 502, "api_error"),
        ("retired", 400, "invalid_request_error"),
        ("overflow", 400, "invalid_request_error"),
        ("status:529", 529, "overloaded_error"),
        ("status:413", 413, "request_too_large"),
    ],
)
async def test_a_fault_is_an_error_of_the_dialect(
    client: httpx.AsyncClient, fault: str, status: int, type_: str
) -> None:
    await client.post("/_sim/faults", json=[{"fault": fault, "retry_after": "7"}])
    answer = await client.post(MESSAGES, json=asked("hi", stream=True))
    assert (answer.status_code, answer.json()["type"], answer.json()["error"]["type"]) == (status, "error", type_)
    assert answer.headers["retry-after"] == "7"


STREAM: dict[str, Any] = {"said": "[[sim:say one two three four]][[sim:chunks 4]]", "stream": True}


async def test_faults_of_streams(client: httpx.AsyncClient) -> None:
    async def suffer(fault: str) -> httpx.Response:
        return await client.post(MESSAGES, json=asked(**STREAM), headers={"x-sim-fault": fault})

    whole = events_of(await client.post(MESSAGES, json=asked(**STREAM)))
    assert [event["type"] for event in events_of(await suffer("no_done"))][-1] == "message_delta"
    assert [event["type"] for event in events_of(await suffer("no_finish"))][-1] == "content_block_stop"
    for fault, number in (("error_event_first", 1), ("error_event_mid", 5)):
        events = events_of(await suffer(fault))
        assert len(events) == number
        assert events[-1]["error"]["type"] == "api_error"
    with pytest.raises(json.JSONDecodeError):
        events_of(await suffer("malformed_sse"))
    assert (await suffer("crlf")).text.count("\r\n\r\n") == len(whole)
    assert (await suffer("comments")).text.count(": ping\n\n") == len(whole)
    assert [event["type"] for event in events_of(await suffer("gzip_stream"))] == [event["type"] for event in whole]
    with pytest.raises(httpx.RemoteProtocolError):
        await suffer("cut:3")


async def test_an_endpoint_without_the_api() -> None:
    async with running(profile="tokenhub") as (_, client):
        answer = await client.post(MESSAGES, json=asked("hi"), headers=HEADERS)
        assert answer.status_code == 404
        assert "type" not in answer.json()


async def test_a_limit_of_the_input_in_chat_too() -> None:
    async with running(**TOKENHUB, max_input=100) as (_, client):
        chat = {"model": "hy3", "messages": [{"role": "user", "content": "word " * 100}]}
        refused = await client.post("/v1/chat/completions", json=chat)
        assert (refused.status_code, refused.headers["x-sim-row"]) == (400, "overflow")
        chat["messages"][0]["content"] = "word"  # type: ignore[index]
        assert (await client.post("/v1/chat/completions", json=chat)).status_code == 200
