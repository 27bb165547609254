"""Roles."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.rules.roles import roles
from tests.rule_context import context


@pytest.mark.parametrize(
    ("role", "becomes"),
    [
        ("developer", "system"),
        ("Assistant", "assistant"),
        (" System\n", "system"),
        ("ai", "assistant"),
        ("AI", "assistant"),
        ("model", "assistant"),
        ("bot", "assistant"),
        ("gpt", "assistant"),
        ("chatbot", "assistant"),
        ("Human", "user"),
        ("TOOL", "tool"),
        ("tool_result", "tool"),
        ("narrator", "user"),
        ("", "user"),
        (None, "user"),
        (7, "user"),
    ],
)
def test_roles_outside_the_four(role: Any, becomes: str) -> None:
    body = {"messages": [{"role": role, "content": "hi"}]}
    [change] = roles(body, context())
    assert body["messages"][0]["role"] == becomes
    assert change.pointer == "/messages/0/role"


def test_a_missing_role_is_user() -> None:
    body: dict[str, Any] = {"messages": [{"content": "hi"}]}
    roles(body, context())
    assert body["messages"] == [{"content": "hi", "role": "user"}]


def test_the_four_roles_stay() -> None:
    body = {"messages": [{"role": role, "content": "hi"} for role in ("system", "user", "assistant", "tool")]}
    assert roles(body, context()) == []


def test_deprecated_function_calls_become_tool_calls_with_their_answers() -> None:
    body: dict[str, Any] = {
        "messages": [
            {"role": "assistant", "content": None, "function_call": {"name": "ls", "arguments": "{}"}},
            {"role": "function", "name": "ls", "content": "a.txt"},
            {"role": "assistant", "content": None, "function_call": {"name": "ls", "arguments": "{}"}},
            {"role": "function", "name": "ls", "content": "b.txt"},
        ]
    }
    roles(body, context())
    first, first_answer, second, second_answer = body["messages"]
    assert first["tool_calls"][0]["function"] == {"name": "ls", "arguments": "{}"}
    assert first_answer["role"] == "tool"
    assert first_answer["tool_call_id"] == first["tool_calls"][0]["id"]
    assert second_answer["tool_call_id"] == second["tool_calls"][0]["id"] != first["tool_calls"][0]["id"]


def test_what_is_no_message_is_kept_as_user_text() -> None:
    body: dict[str, Any] = {"messages": ["hello", None, {"role": "user", "content": "hi"}, [1, 2]]}
    changes = roles(body, context())
    assert [message["content"] for message in body["messages"]] == ["hello", "hi", "[1,2]"]
    assert [change.pointer for change in changes] == ["/messages/0", "/messages/1", "/messages/3"]


def function_call(name: str | None = "ls") -> dict[str, Any]:
    return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": "{}"}}


def function(content: str, name: str | None = "ls", role: str = "function") -> dict[str, Any]:
    message = {"role": role, "content": content}
    return message if name is None else {**message, "name": name}


def answered(*messages: dict[str, Any]) -> list[tuple[int, str]]:
    """For each answer the number of the call that it was given to, and its text."""
    body: dict[str, Any] = {"messages": list(messages)}
    roles(body, context())
    calls = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    assert len(set(calls)) == len(calls)
    return [
        (calls.index(message["tool_call_id"]), message["content"])
        for message in body["messages"]
        if message["role"] == "tool" and "tool_call_id" in message
    ]


USER = {"role": "user", "content": "hm"}


def test_a_function_answers_the_nearest_call_of_its_name() -> None:
    assert answered(function_call(), USER, function_call("cat"), USER, function_call(), function("x")) == [(2, "x")]
    assert answered(function_call("cat"), USER, function_call(), USER, function("x", "cat")) == [(0, "x")]


def test_answers_that_follow_each_other_keep_their_order() -> None:
    assert answered(function_call(), function_call(), function("x"), function("y")) == [(0, "x"), (1, "y")]
    assert answered(function_call(), function_call(), function_call(), function("y"), function("z")) == [
        (1, "y"),
        (2, "z"),
    ]


def test_an_answer_without_a_name_goes_to_the_nearest_call() -> None:
    calls = [function_call("a"), function_call("b"), function_call("c")]
    assert answered(*calls, function("x", "b"), function("y", None), USER, function("z", None)) == [
        (1, "x"),
        (2, "y"),
        (0, "z"),
    ]


def test_an_answer_to_no_function_call_has_no_id() -> None:
    assert answered(function_call(), function("x"), function("y"), function("z", "cat"), function("w", None)) == [
        (0, "x")
    ]


def test_a_function_message_in_capitals_answers_too() -> None:
    assert answered(function_call(), function("x", role="Function")) == [(0, "x")]


def test_an_id_of_its_own_is_kept() -> None:
    body: dict[str, Any] = {"messages": [function_call(), {**function("x"), "tool_call_id": "mine"}]}
    roles(body, context())
    assert body["messages"][1]["tool_call_id"] == "mine"


@pytest.mark.parametrize("field", ["call_id", "tool_use_id", "toolCallId"])
def test_another_dialect_s_name_of_an_answer_s_id(field: str) -> None:
    body = {"messages": [{"role": "tool", "content": "x", field: 7}]}
    roles(body, context())
    assert body["messages"] == [{"role": "tool", "content": "x", "tool_call_id": 7}]


def test_neighbours_that_are_no_messages_become_one() -> None:
    body: dict[str, Any] = {"messages": ["a", 1, None, USER, None, {}, ""]}
    roles(body, context())
    assert [message.get("content") for message in body["messages"]] == ["a\n\n1", "hm", None, ""]


def test_answers_without_a_name_keep_their_order() -> None:
    assert answered(*map(function_call, "abc"), function("x", None), function("y", None)) == [(1, "x"), (2, "y")]
