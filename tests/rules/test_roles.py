"""Roles."""

from __future__ import annotations

from typing import Any

import pytest

from addon.rules.roles import roles
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
