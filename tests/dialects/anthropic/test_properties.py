"""What the translation of a request must keep, over generated bodies, with the simulator as the judge."""

from __future__ import annotations

import copy
import re
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hunyuan_fix.dialects.anthropic.request import to_chat
from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.simulator.checks import ProfileName
from hunyuan_fix.wire import json_body
from tests.dialects.anthropic import bodies
from tests.dialects.anthropic.translating import MODELS, assistant, refusal, repaired, translated
from tests.strategies import json_values

WORD = re.compile(r"word\d+x")
VENDORS_ONLY = (
    "cache_control",
    "defer_loading",
    "signature",
    "encrypted_content",
    "eager_input_streaming",
    "tool_use_id",
)
profile_names = st.sampled_from(sorted(MODELS))


def words(value: Any) -> Counter[str]:
    return Counter(WORD.findall(json_body.serialise(value).decode()))


@given(bodies.bodies, profile_names)
def test_what_the_sdks_accept_is_translated_and_accepted(body: dict[str, Any], profile_name: ProfileName) -> None:
    chat, _ = translated(body)
    assert refusal(chat, profile_name) is None


@given(bodies.bodies)
def test_nothing_that_is_said_is_lost(body: dict[str, Any]) -> None:
    chat, _ = translated(body)
    said = words([body["messages"], body.get("system")])
    assert said <= words(chat["messages"])
    assert said <= words(repaired(chat, "tokenhub")["messages"])


@given(bodies.bodies)
def test_nothing_is_said_twice(body: dict[str, Any]) -> None:
    chat, _ = translated(body)
    assert words(chat["messages"]) <= words([body["messages"], body.get("system")])


@given(bodies.bodies)
def test_every_call_and_every_result_is_there(body: dict[str, Any]) -> None:
    chat, _ = translated(body)
    blocks = [
        (message["role"], block)
        for message in body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
    ]
    calls = Counter(block["id"] for role, block in blocks if role == "assistant" and block["type"] == "tool_use")
    results = Counter(block["tool_use_id"] for _, block in blocks if block["type"] == "tool_result")
    assert calls == Counter(call["id"] for message in chat["messages"] for call in message.get("tool_calls", ()))
    assert results == Counter(message["tool_call_id"] for message in chat["messages"] if message["role"] == "tool")


@given(bodies.bodies)
def test_nothing_that_is_for_its_vendor_alone_is_sent(body: dict[str, Any]) -> None:
    chat, _ = translated(body)
    sent = json_body.serialise(chat)
    assert [name for name in VENDORS_ONLY if f'"{name}"'.encode() in sent] == []


@given(bodies.bodies)
def test_what_isnt_sent_as_it_is_has_been_told(body: dict[str, Any]) -> None:
    _, note = translated(body)
    told = {pointer.split("/")[1] for pointer, _ in note["changes"]}
    unknown = {"container", "service_tier", "betas", "cache_control", "context_management", "mcp_servers"} & body.keys()
    assert unknown <= told
    assert all(re.fullmatch(r"(/[^/]+)+", pointer) and why for pointer, why in note["changes"])
    assert not WORD.search(str(note["changes"]))  # no content


@given(bodies.bodies)
def test_deterministic(body: dict[str, Any]) -> None:
    first, second = translated(copy.deepcopy(body)), translated(copy.deepcopy(body))
    assert json_body.serialise(first) == json_body.serialise(second)


def as_once_it_is_not_the_last(message: dict[str, Any]) -> dict[str, Any]:
    """A message as Claude Code sends it from the next turn on: a plain text where it was a list of one."""
    content = message["content"]
    plain = isinstance(content, list) and len(content) == 1 and content[0]["type"] == "text"
    return {**message, "content": content[0]["text"]} if plain else message


def ids_in(messages: list[Any], kind: str, field: str) -> set[str]:
    """The ids that the blocks of the type `kind` have."""
    contents = [message["content"] for message in messages if isinstance(message["content"], list)]
    return {block[field] for content in contents for block in content if block["type"] == kind}


@given(bodies.bodies, st.lists(bodies.messages, max_size=3), profile_names)
def test_prefix_stable(body: dict[str, Any], more: list[Any], profile_name: ProfileName) -> None:
    """A longer history begins with the same messages, byte for byte, but for the last one."""
    history = body["messages"]
    # A result that comes late takes the place of the text that stood for it.
    assume(ids_in(history, "tool_use", "id").isdisjoint(ids_in(more, "tool_result", "tool_use_id")))
    # After a call without its result, what follows would put the result before other texts.
    history += [
        assistant({"type": "text", "text": "so far"}),
        {"role": "user", "content": [{"type": "text", "text": "on"}]},
    ]
    # What a history adds to the tools is no part of its messages.
    body.pop("tools", None)
    body.pop("tool_choice", None)
    longer = {
        **body,
        "messages": [
            *history[:-1],
            as_once_it_is_not_the_last(history[-1]),
            assistant({"type": "text", "text": "a"}),
            *more,
        ],
    }
    short, long = translated(body)[0]["messages"], translated(longer)[0]["messages"]
    assert long[: len(short)] == short
    kept = repaired(translated(body)[0], profile_name)["messages"][:-1]
    if not any("image_url" in json_body.serialise(given).decode() for given in (short, long)):
        assert repaired(translated(longer)[0], profile_name)["messages"][: len(kept)] == kept


places = st.integers(0, 10**6)


def changed_anywhere(body: dict[str, Any], number: int, value: Any) -> dict[str, Any]:
    """`body` with `value` in the place of one of its values."""
    found: list[tuple[Any, Any]] = []
    waiting: list[Any] = [body]
    while waiting:
        holder = waiting.pop()
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    holder, key = found[number % len(found)]
    holder[key] = value
    return body


@given(bodies.bodies, places, json_values, profile_names)
def test_whatever_stands_anywhere_is_translated_or_refused_in_words(
    body: dict[str, Any], number: int, value: Any, profile_name: ProfileName
) -> None:
    hostile = changed_anywhere(copy.deepcopy(body), number, value)
    try:
        chat = to_chat(hostile, {}, {})
    except BadRequest as error:
        assert error.param
        assert error.message.startswith(error.param)
    else:
        assert refusal(chat, profile_name) is None


@given(st.dictionaries(st.sampled_from(["model", "messages", "system", "tools", "stream", "thinking"]), json_values))
def test_any_object_is_translated_or_refused_in_words(body: dict[str, Any]) -> None:
    try:
        to_chat(body, {}, {})
    except BadRequest as error:
        assert error.param and error.param in error.message


GROWING: dict[str, Callable[[int], dict[str, Any]]] = {
    "turns": lambda n: {
        "messages": [
            message
            for turn in range(n)
            for message in (
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": f"t{turn}", "name": f"tool.{turn}", "input": {"a": turn}}],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": f"t{turn}", "content": [{"type": "text", "text": "x"}]}
                    ],
                },
                {"role": "system", "content": "note"},
            )
        ]
    },
    "parallel calls": lambda n: {
        "messages": [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": f"t{i}", "name": "ls", "input": {}} for i in range(n)],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": f"t{n - i}", "content": "x"} for i in range(n)],
            },
        ]
    },
    "blocks": lambda n: {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}] * n}]
    },
    "unknown blocks": lambda n: {"messages": [{"role": "user", "content": [{"type": "new", "a": 1}] * n}]},
    "texts of one answer": lambda n: {
        "messages": [
            {"role": "assistant", "content": [{"type": "text", "text": "x"}] * n},
            {"role": "user", "content": "y"},
        ]
    },
    "held reminders": lambda n: {
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "ls", "input": {}}]},
            *([{"role": "system", "content": "x"}] * n),
        ]
    },
    "deferred tools": lambda n: {
        "messages": [
            {"role": "user", "content": [{"type": "tool_reference", "tool_name": f"tool{i}"} for i in range(n)]}
        ],
        "tools": [{"name": f"tool{i}", "input_schema": {}, "defer_loading": True} for i in range(n)],
    },
    "long names": lambda n: {
        "messages": [{"role": "user", "content": "x"}],
        "tools": [{"name": f"{'n' * 70}{i}", "input_schema": {}} for i in range(n)],
    },
    "MCP servers": lambda n: {
        "messages": [{"role": "user", "content": "x"}],
        "mcp_servers": [{"name": f"server{i}"} for i in range(n)],
    },
    "unknown parameters": lambda n: {"messages": [{"role": "user", "content": "x"}], **{f"p{i}": 1 for i in range(n)}},
}


def work(body: dict[str, Any]) -> int:
    """Steps of the interpreter that the translation takes: no clock, so a busy machine changes nothing."""
    steps = 0

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal steps
        steps += 1
        frame.f_trace_lines = True
        return count

    tracing = sys.gettrace()
    sys.settrace(count)
    try:
        to_chat({"model": "hy3", **body}, {}, {})
    finally:
        sys.settrace(tracing)
    return steps


@pytest.mark.parametrize("name", GROWING)
def test_twice_as_much_takes_twice_the_work(name: str) -> None:
    once, twice = (work(GROWING[name](n)) for n in (300, 600))
    assert twice < 2.2 * once


@pytest.mark.parametrize("name", GROWING)
def test_the_list_of_changes_is_bounded(name: str) -> None:
    assert len(translated(GROWING[name](2000))[1]["changes"]) < 520
