"""Reasoning memory where requests stay in their format: Messages with its blocks, Responses with its items."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.dialects.anthropic import native_answers as messages
from hunyuan_fix.dialects.anthropic.thinking import signature
from hunyuan_fix.dialects.responses import native_answers as responses
from hunyuan_fix.steps.rules import PUT_BACK
from tests.remembering import Json, World, said, user
from tests.remembering import call as chat_call

THINKING: Json = {"type": "thinking", "thinking": "first I think", "signature": "c2ln"}
REDACTED: Json = {"type": "redacted_thinking", "data": "aGlkZGVu"}
LATER: Json = {"type": "thinking", "thinking": "then again", "signature": "c2lnMg=="}
TEXT: Json = {"type": "text", "text": "I look."}
USE: Json = {"type": "tool_use", "id": "Bash:0", "name": "Bash", "input": {"command": "ls"}}
BLOCKS = [THINKING, TEXT, REDACTED, LATER, USE]
ASKED: Json = {"role": "user", "content": [{"type": "text", "text": "list"}]}
BACK: Json = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "Bash:0", "content": "a b"}]}
MESSAGES: Json = {"dialect": "anthropic-native", "profile": "zenmux"}
KIMI, CLAUDE = "moonshotai/kimi-k2.5", "anthropic/claude-opus-5"


def body(*content: Json, model: str = KIMI, **fields: Any) -> Json:
    """A request after a turn with these blocks; without any, the first one."""
    turn = [{"role": "assistant", "content": list(content)}, BACK] if content else []
    return {"model": model, "max_tokens": 4000, "messages": [ASKED, *turn], **fields}


def turn_of(request: Json) -> list[Json]:
    content: list[Json] = request["messages"][1]["content"]
    return content


async def heard(world: World, blocks: list[Json], *, stream: bool = False, model: str = KIMI, **given: Any) -> None:
    """Let the world hear an answer with these blocks."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": blocks, "stop_reason": "tool_use"}
    exchange = await world.sent(body(model=model), **{**MESSAGES, **given})
    if not stream:
        world.answered(exchange, json.dumps(message).encode())
        return
    written = (json.dumps(event).encode() for event in messages.as_events(copy.deepcopy(message)))
    world.answered(exchange, [b"event: x\ndata: " + data + b"\n\n" for data in written])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [KIMI, CLAUDE])
async def test_blocks_go_back_as_they_came_where_they_stood(stream: bool, model: str) -> None:
    world = World()
    await heard(world, BLOCKS, stream=stream, model=model)
    for left in (
        [TEXT, USE],
        [REDACTED, TEXT, USE],
        [{"type": "thinking", "thinking": "", "signature": ""}, TEXT, USE],
    ):
        exchange = await world.sent(body(*left, model=model), **MESSAGES)
        assert turn_of(exchange.chat) == BLOCKS
        assert [(change.rule, change.pointer) for change in exchange.changes][:1] == [
            ("reasoning-memory", "/messages/1/content")
        ]


async def test_a_client_that_lost_nothing_sends_what_it_sent() -> None:
    world = World()
    await heard(world, BLOCKS)
    for whole in (BLOCKS, [{**THINKING, "signature": ""}, USE], [{**THINKING, "thinking": ""}, USE]):
        sent = body(*whole)
        exchange = await world.sent(sent, **MESSAGES)
        assert exchange.chat == sent and not exchange.changes


async def test_a_message_that_is_shorter_now_has_no_thinking_at_its_end() -> None:
    world = World()
    await heard(world, BLOCKS)
    exchange = await world.sent(body(USE), **MESSAGES)
    assert turn_of(exchange.chat) == [REDACTED, LATER, THINKING, USE]


async def test_another_models_thought_is_a_block_without_a_signature() -> None:
    world = World()
    await heard(world, [THINKING, USE])
    exchange = await world.sent(body(USE, model="moonshotai/kimi-k2.6"), **MESSAGES)
    assert turn_of(exchange.chat) == [{**THINKING, "signature": ""}, USE]
    exchange = await world.sent(body(USE), **{**MESSAGES, "host": "elsewhere"})
    assert turn_of(exchange.chat) == [{**THINKING, "signature": ""}, USE]


async def test_where_signatures_are_verified_nothing_else_goes_back() -> None:
    world = World()
    await heard(world, [THINKING, USE])
    exchange = await world.sent(body(USE, model=CLAUDE), **MESSAGES)
    assert turn_of(exchange.chat) == [USE]
    # Of its own, one without a signature wouldn't be taken either.
    await heard(world, [{**THINKING, "signature": ""}, USE], model=CLAUDE)
    exchange = await world.sent(body(USE, model=CLAUDE), **MESSAGES)
    assert turn_of(exchange.chat) == [USE]


async def test_a_text_for_content_becomes_a_block() -> None:
    world = World()
    await heard(world, [THINKING, TEXT], profile="moonshot", model="kimi-k3")
    history = [ASKED, {"role": "assistant", "content": "I look."}, ASKED]
    sent = {"model": "kimi-k3", "max_tokens": 4000, "messages": history}
    exchange = await world.sent(sent, **{**MESSAGES, "profile": "moonshot"})
    assert turn_of(exchange.chat) == [THINKING, TEXT]


@pytest.mark.parametrize("profile", ["moonshot", "zenmux"])
async def test_made_up_only_where_the_endpoint_takes_that(profile: str) -> None:
    world = World()
    model = KIMI if profile == "zenmux" else "kimi-k2.5"
    exchange = await world.sent(body(TEXT, USE, model=model), **{**MESSAGES, "profile": profile})
    if profile == "moonshot":
        assert turn_of(exchange.chat) == [TEXT, USE]
        return
    thinking, *rest = turn_of(exchange.chat)
    assert (thinking["type"], thinking["signature"], rest) == ("thinking", "", [TEXT, USE])
    assert thinking["thinking"] and "made-up-reasoning" in exchange.rules
    assert world.runtime.metrics.value(PUT_BACK, "made_up") == 1
    again = await world.sent(body(TEXT, USE, model=model), **MESSAGES)
    assert turn_of(again.chat) == turn_of(exchange.chat), "the same turn has the same bytes"
    once_more = await world.sent(exchange.chat, **MESSAGES)
    assert once_more.chat == exchange.chat


async def test_nothing_is_made_up_where_it_isnt_needed() -> None:
    for sent in (
        body(TEXT, USE, thinking={"type": "disabled"}),
        body(TEXT),
        body(REDACTED, USE),
        body(THINKING, USE),
        body(USE, model=CLAUDE),
    ):
        exchange = await World().sent(sent, **MESSAGES)
        assert turn_of(exchange.chat) == sent["messages"][1]["content"]


async def test_histories_go_from_one_format_into_another() -> None:
    world = World()
    await heard(world, [THINKING, TEXT, USE])
    chat = [user("list"), said(None, chat_call(arguments='{"command":"ls"}')), {"role": "tool", "content": "a b"}]
    exchange = await world.sent({"model": KIMI, "messages": chat}, profile="zenmux")
    assert exchange.chat["messages"][1]["reasoning_content"] == "first I think"
    other = World()
    await other.ask([user("list")], {**chat[1], "reasoning_content": "by chat"}, profile="zenmux", model=KIMI)
    exchange = await other.sent(body(TEXT, USE), **MESSAGES)
    assert turn_of(exchange.chat) == [{"type": "thinking", "thinking": "by chat", "signature": ""}, TEXT, USE]


async def test_thinking_that_this_proxy_signed_is_not_lost() -> None:
    """A conversation that was translated before: its blocks carry their text, or say it."""
    world = World()
    await heard(world, [THINKING, USE])
    carried = {"type": "thinking", "thinking": "", "signature": signature("another text", omitted=True)}
    exchange = await world.sent(body(carried, USE), **MESSAGES)
    assert turn_of(exchange.chat)[0]["thinking"] == "another text"


NONSENSE: list[Any] = [
    7,
    [None, 7, {"role": "assistant"}, {"role": "assistant", "content": 7}, {"role": "assistant", "content": [7, None]}],
    [
        {"role": "assistant", "content": [{"type": "tool_use"}]},
        {"role": "assistant", "content": [{"type": "thinking"}]},
    ],
]


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_nonsense_raises_nothing(nonsense: Any) -> None:
    sent = {"model": KIMI, "messages": nonsense}
    exchange = await World().sent(sent, **{**MESSAGES, "profile": "moonshot"})
    assert exchange.chat["messages"] == nonsense
    await World().sent({"model": "hy3", "store": False, "input": nonsense}, **RESPONSES)


KINDS = st.sampled_from(["thinking", "redacted", "text", "use"])


@given(st.lists(st.tuples(KINDS, st.booleans()), max_size=7), st.booleans(), st.booleans())
@settings(deadline=None)
async def test_any_order_of_blocks_goes_back(listed: list[tuple[str, bool]], stream: bool, blank: bool) -> None:
    """Whatever is lost of the thinking. A message ends with something else."""
    blocks: list[Json] = []
    for number, (kind, is_kept) in enumerate([*listed, ("use", True)]):
        made: dict[str, Json] = {
            "thinking": {"type": "thinking", "thinking": f"thought {number}", "signature": "" if is_kept else "c2ln"},
            "redacted": {"type": "redacted_thinking", "data": f"{number}"},
            "text": {"type": "text", "text": f"text {number}"},
            "use": {**USE, "id": f"Bash:{number}", "input": {"number": number}},
        }
        blocks.append(made[kind])
    world = World()
    await heard(world, blocks, stream=stream)
    left = [block for block in blocks if block["type"] in ("text", "tool_use")]
    if blank:
        left = [{"type": "thinking", "thinking": " ", "signature": ""}, *left]
    exchange = await world.sent(body(*left), **MESSAGES)
    if any(block["type"] == "thinking" for block in blocks):
        assert turn_of(exchange.chat) == blocks
    once_more = await world.sent(copy.deepcopy(exchange.chat), **MESSAGES)
    assert once_more.chat == exchange.chat


# Responses

RESPONSES: Json = {"dialect": "responses-native", "profile": "tokenhub"}
REASONING: Json = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "I think"}],
    "encrypted_content": "c2VhbGVk",
    "status": "completed",
}
CALL: Json = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"}
SAID: Json = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
OUTPUT: Json = {"type": "function_call_output", "call_id": "call_1", "output": "a b"}
WITHOUT_IDS = {key: value for key, value in REASONING.items() if key not in ("id", "status")}


def request(*items: Json, model: str = "hy3") -> Json:
    return {"model": model, "store": False, "input": [{"role": "user", "content": "list"}, *items]}


async def heard_response(world: World, *, stream: bool) -> None:
    response = {"id": "resp_1", "object": "response", "status": "completed", "output": [REASONING, SAID, CALL]}
    exchange = await world.sent(request(), **RESPONSES)
    if not stream:
        world.answered(exchange, json.dumps(response).encode())
        return
    written = (json.dumps(event).encode() for event in responses.as_events(copy.deepcopy(response)))
    world.answered(exchange, [b"event: x\ndata: " + data + b"\n\n" for data in written])


@pytest.mark.parametrize("stream", [False, True])
async def test_an_item_goes_back_before_its_turn(stream: bool) -> None:
    world = World()
    await heard_response(world, stream=stream)
    for lost in ((), ({"type": "reasoning", "summary": []},)):
        exchange = await world.sent(request(*lost, SAID, CALL, OUTPUT), **RESPONSES)
        sent = exchange.chat["input"]
        assert "messages" not in exchange.chat
        assert [item.get("type") for item in sent if item != {"type": "reasoning", "summary": []}] == [
            None,
            "reasoning",
            "message",
            "function_call",
            "function_call_output",
        ]
        assert WITHOUT_IDS in sent
        assert ("reasoning-memory", f"/input/{1 + len(lost)}") in [(c.rule, c.pointer) for c in exchange.changes]
    # Another model gets its text, without what only the first one can open.
    exchange = await world.sent(request(SAID, CALL, OUTPUT, model="hy3-preview"), **RESPONSES)
    plain = {"type": "reasoning", "summary": [], "content": REASONING["content"]}
    assert plain in exchange.chat["input"]


@pytest.mark.parametrize("left", [REASONING, {"type": "reasoning", "summary": [], "encrypted_content": "x"}])
async def test_a_client_that_lost_no_item_sends_what_it_sent(left: Json) -> None:
    world = World()
    await heard_response(world, stream=False)
    sent = request(left, SAID, CALL, OUTPUT)
    exchange = await world.sent(sent, **RESPONSES)
    assert exchange.chat == sent and not exchange.changes
