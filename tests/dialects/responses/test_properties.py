"""What the translation of a request must keep, over generated bodies, with the simulator as the judge."""

from __future__ import annotations

import copy
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.dialects.responses.request import to_chat
from hunyuan_fix.simulator.checks import ProfileName
from hunyuan_fix.wire import json_body
from tests.dialects.anthropic.translating import MODELS, refusal, repaired
from tests.dialects.responses import strategies
from tests.dialects.responses.judging import RUN_BY_CLIENTS, translated
from tests.strategies import json_values

WORD = re.compile(r"word\d+x")
VENDORS_ONLY = (
    "allowed_callers",
    "annotations",
    "call_id",
    "defer_loading",
    "encrypted_content",
    "file_id",
    "logprobs",
    "output_schema",
    "prompt_cache_breakpoint",
    "summary",
)
NEVER_SENT = {
    "access_programs",
    "background_options",
    "client_metadata",
    "context_management",
    "include",
    "max_tool_calls",
    "moderation",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "stream_options",
    "text",
    "truncation",
}
"""Fields that chat endpoints don't have."""
profile_names = st.sampled_from(sorted(MODELS))


def words(value: Any) -> Counter[str]:
    return Counter(WORD.findall(json_body.serialise(value).decode()))


def said(body: dict[str, Any]) -> Counter[str]:
    return words([body["input"], body.get("instructions")])


def items_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    return body["input"] if isinstance(body["input"], list) else []


@given(strategies.bodies, profile_names)
def test_what_the_sdks_accept_is_translated_and_accepted(body: dict[str, Any], profile_name: ProfileName) -> None:
    chat, _ = translated(body)
    assert refusal(chat, profile_name) is None


@given(strategies.bodies)
def test_nothing_that_is_said_is_lost(body: dict[str, Any]) -> None:
    chat, _ = translated(body)
    assert said(body) <= words(chat["messages"])
    assert said(body) <= words(repaired(chat, "tokenhub")["messages"])


@given(strategies.bodies)
def test_nothing_is_said_twice(body: dict[str, Any]) -> None:
    chat, _ = translated(body)
    assert words(chat["messages"]) <= said(body)


@given(strategies.bodies)
def test_every_call_of_the_client_is_there(body: dict[str, Any]) -> None:
    """Each once, with its id, where it has one."""
    chat, _ = translated(body)
    calls = [item for item in items_of(body) if item.get("type") in RUN_BY_CLIENTS]
    sent = [call for message in chat["messages"] for call in message.get("tool_calls", ())]
    named = Counter(call["call_id"] for call in calls if call.get("call_id"))
    assert named <= Counter(call.get("id") for call in sent)
    assert len(sent) == len([call for call in calls if call.get("execution") != "server" or call.get("call_id")])


@given(strategies.bodies)
def test_every_image_that_can_be_sent_is_there(body: dict[str, Any]) -> None:
    chat, _ = translated(body)
    contents = [item.get("content") for item in items_of(body)] + [item.get("output") for item in items_of(body)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    given_urls = Counter(part["image_url"] for part in parts if part.get("image_url"))
    sent = Counter(
        part["image_url"]["url"]
        for message in chat["messages"]
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if part["type"] == "image_url"
    )
    assert given_urls <= sent


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(inner)


@given(strategies.bodies)
def test_nothing_that_is_for_its_vendor_alone_is_sent(body: dict[str, Any]) -> None:
    chat, _ = translated(body)
    assert not set(VENDORS_ONLY) & set(keys(chat["messages"]))
    tools = [{**tool["function"], "parameters": None} for tool in chat.get("tools", ())]
    assert not set(VENDORS_ONLY) & set(keys(tools))
    assert not NEVER_SENT & chat.keys() - {"stream_options"}


@given(strategies.bodies)
def test_what_isnt_sent_as_it_is_has_been_told(body: dict[str, Any]) -> None:
    _, note = translated(body)
    told = {pointer.split("/")[1] for pointer, _ in note["changes"]}
    dropped = {"moderation", "background_options", "max_tool_calls", "access_programs", "context_management"}
    unknown = {name for name in dropped | {"a_parameter_of_next_year"} if body.get(name) is not None}
    assert unknown <= told
    assert all(re.fullmatch(r"(/[^/]+)+", pointer) and why for pointer, why in note["changes"])
    assert not WORD.search(str(note["changes"]))  # no content


@given(strategies.bodies)
def test_deterministic(body: dict[str, Any]) -> None:
    first, second = translated(copy.deepcopy(body)), translated(copy.deepcopy(body))
    assert json_body.serialise(first) == json_body.serialise(second)


def answered_later(more: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items that answer no call but their own: an output that comes late is sent beside its call."""
    made: set[str] = set()
    kept = []
    for item in more:
        own = {**item, "call_id": f"{item['call_id']}_later"} if item.get("call_id") else item
        if item.get("type") in RUN_BY_CLIENTS:
            made.add(str(own.get("call_id")))
        if not str(item.get("type")).endswith("_output") or own.get("call_id") in made:
            kept.append(own)
    return kept


@given(strategies.bodies, st.lists(strategies.items, max_size=3), profile_names)
def test_prefix_stable(body: dict[str, Any], more: list[Any], profile_name: ProfileName) -> None:
    """A longer history begins with the same messages, byte for byte; once it is repaired, but for the last one."""
    history = items_of(body) or [{"role": "user", "content": body["input"]}]
    # Reasoning waits for the answer that it belongs to.
    history = [*history, {"role": "assistant", "content": "so far"}, {"role": "user", "content": "on"}]
    longer, answered = (
        translated({**body, "input": [*history, {"role": "assistant", "content": "a"}, *items]})[0]["messages"]
        for items in (more, answered_later(more))
    )
    short = translated({**body, "input": history})[0]["messages"]
    assert json_body.serialise(longer[: len(short)]) == json_body.serialise(short)
    if not any(b'"image_url":{' in json_body.serialise(messages) for messages in (short, answered)):
        kept = repaired({**body, "messages": short} | {"tools": []}, profile_name)["messages"][:-1]
        after = repaired({**body, "messages": answered} | {"tools": []}, profile_name)["messages"][: len(kept)]
        assert json_body.serialise(after) == json_body.serialise(kept)


@given(strategies.bodies, st.lists(strategies.items, max_size=3))
def test_names_of_tools_stay_as_a_conversation_grows(body: dict[str, Any], more: list[Any]) -> None:
    """What a tool is called in chat doesn't depend on what comes later."""
    history = items_of(body) or [{"role": "user", "content": body["input"]}]
    first, second = (translated({**body, "input": listed})[0].get("tools", []) for listed in (history, history + more))
    before, after = ([tool["function"]["name"] for tool in tools] for tools in (first, second))
    assert after[: len(before)] == before


@given(strategies.stored_bodies, profile_names)
def test_what_needs_kept_answers_is_refused_in_words_or_accepted(
    body: dict[str, Any], profile_name: ProfileName
) -> None:
    try:
        chat, _ = translated(body)
    except BadRequest as error:
        assert error.message
    else:
        assert refusal(chat, profile_name) is None


@given(strategies.bodies, strategies.histories)
def test_earlier_items_come_first(body: dict[str, Any], earlier: list[Any]) -> None:
    note: dict[str, Any] = {"earlier": copy.deepcopy(earlier)}
    own = items_of(body) or [{"role": "user", "content": body["input"]}]
    made = to_chat(copy.deepcopy(body), {}, note)
    assert "earlier" not in note
    assert json_body.serialise(made["messages"]) == json_body.serialise(
        translated({**body, "input": [*earlier, *own]})[0]["messages"]
    )


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


@given(strategies.bodies, places, json_values, profile_names)
def test_whatever_stands_anywhere_is_translated_or_refused_in_words(
    body: dict[str, Any], number: int, value: Any, profile_name: ProfileName
) -> None:
    hostile = changed_anywhere(copy.deepcopy(body), number, value)
    try:
        chat = to_chat(hostile, {}, {})
    except BadRequest as error:
        assert error.param
        assert error.param in error.message
    else:
        assert refusal(chat, profile_name) is None


@given(
    st.dictionaries(
        st.sampled_from(["model", "input", "instructions", "tools", "stream", "reasoning", "text"]), json_values
    )
)
def test_any_object_is_translated_or_refused_in_words(body: dict[str, Any]) -> None:
    try:
        to_chat(body, {}, {})
    except BadRequest as error:
        assert error.param and error.param in error.message


_TEXT = {"type": "input_text", "text": "x"}


def _calls(n: int) -> list[dict[str, Any]]:
    return [{"type": "function_call", "call_id": f"c{i}", "name": "ls", "arguments": "{}"} for i in range(n)]


GROWING: dict[str, Callable[[int], dict[str, Any]]] = {
    "turns": lambda n: {
        "input": [
            item
            for turn in range(n)
            for item in (
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [],
                    "content": [{"type": "reasoning_text", "text": "x"}],
                },
                {"type": "function_call", "call_id": f"c{turn}", "name": f"tool{turn}", "arguments": '{"a": 1}'},
                {
                    "type": "function_call_output",
                    "call_id": f"c{turn}",
                    "output": [{"type": "input_text", "text": "x"}],
                },
                {"role": "developer", "content": "note"},
            )
        ]
    },
    "parallel calls": lambda n: {
        "input": [
            *_calls(n),
            *({"type": "function_call_output", "call_id": f"c{n - 1 - i}", "output": "x"} for i in range(n)),
        ]
    },
    "calls without outputs": lambda n: {"input": _calls(n)},
    "outputs without calls": lambda n: {
        "input": [{"type": "function_call_output", "call_id": f"c{i}", "output": "x"} for i in range(n)]
    },
    "parts": lambda n: {"input": [{"role": "user", "content": [{"type": "input_text", "text": "x"}] * n}]},
    "unknown items": lambda n: {"input": [{"type": "new", "a": 1}] * n},
    "unknown parts": lambda n: {"input": [{"role": "user", "content": [{"type": "new", "a": 1}] * n}]},
    "developer texts": lambda n: {"input": [*_calls(1), *([{"role": "developer", "content": "x"}] * n)]},
    "added tools": lambda n: {
        "input": [
            {"type": "additional_tools", "role": "developer", "tools": [{"type": "custom", "name": f"tool{i}"}]}
            for i in range(n)
        ]
    },
    "namespaces": lambda n: {
        "input": "x",
        "tools": [
            {
                "type": "namespace",
                "name": f"{'n' * 60}{i}",
                "description": "d",
                "tools": [{"type": "function", "name": "a"}, {"type": "function", "name": "b" * 60}],
            }
            for i in range(n)
        ],
    },
    "built-in tools": lambda n: {"input": "x", "tools": [{"type": "mcp", "server_label": f"s{i}"} for i in range(n)]},
    "unknown parameters": lambda n: {"input": "x", **{f"p{i}": 1 for i in range(n)}},
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
    assert len(translated({"model": "hy3", **GROWING[name](2000)})[1]["changes"]) < 520
