"""Functions that the endpoint runs itself: Kimi's `$web_search`, from the offer to the result."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from hunyuan_fix.rules import apply_chat
from tests.rule_context import context

SEARCH = {"type": "builtin_function", "function": {"name": "$web_search"}}
ARGUMENTS = '{"search_result":{"search_id":"s1"},"usage":{"total_tokens":7}}'
USER = {"role": "user", "content": "what is new?"}


def called(kind: str = "builtin_function", **more: Any) -> dict[str, Any]:
    call = {"id": "s:0", "type": kind, "function": {"name": "$web_search", "arguments": ARGUMENTS}}
    return {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [call], **more}


def fixed(messages: list[Any], profile: str = "moonshot", model: str = "kimi-k2.6", **more: Any) -> dict[str, Any]:
    body = copy.deepcopy({"model": model, "messages": messages, **more})
    apply_chat(body, context(profile, model))
    once = json.dumps(body)
    assert apply_chat(body, context(profile, model)) == []
    assert json.dumps(body) == once
    return body


def test_it_is_offered_and_the_model_does_not_think() -> None:
    body = fixed([USER], tools=[SEARCH])
    assert body["tools"] == [SEARCH]
    assert body["thinking"] == {"type": "disabled"}


def test_a_model_that_can_think_and_search_does_both() -> None:
    assert "thinking" not in fixed([USER], model="kimi-k3", tools=[SEARCH])


def test_other_tools_do_not_stop_it_from_thinking() -> None:
    tool = {"type": "function", "function": {"name": "ls", "parameters": {"type": "object", "properties": {}}}}
    assert "thinking" not in fixed([USER], tools=[tool])


def test_elsewhere_it_is_no_tool() -> None:
    assert "tools" not in fixed([USER], "tokenhub", "hy3", tools=[SEARCH])


@pytest.mark.parametrize("kind", ["builtin_function", "function"])
@pytest.mark.parametrize(
    "result",
    [
        {"role": "tool", "tool_call_id": "s:0", "content": ""},
        {"role": "tool", "tool_call_id": "s:0", "content": None, "name": "search"},
        {"role": "tool", "tool_call_id": "s:0"},
        None,
    ],
)
def test_an_empty_or_missing_result_is_the_arguments(kind: str, result: dict[str, Any] | None) -> None:
    body = fixed([USER, called(kind), *([result] if result else [])], tools=[SEARCH])
    assert body["messages"][1]["tool_calls"] == called(kind)["tool_calls"]
    assert body["messages"][2] == {
        "role": "tool",
        "tool_call_id": "s:0",
        "content": ARGUMENTS,
        "name": "$web_search",
    }


def test_what_a_client_echoes_stays() -> None:
    result = {"role": "tool", "tool_call_id": "s:0", "content": ARGUMENTS, "name": "$web_search"}
    assert fixed([USER, called(), result], tools=[SEARCH])["messages"] == [USER, called(), result]


def test_results_of_the_clients_own_tools_stay() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
    turn = {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "a", "content": "done"}
    assert fixed([USER, turn, result, called()], tools=[SEARCH])["messages"][:3] == [USER, turn, result]
