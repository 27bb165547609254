"""The shape of tool calls."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.rules.calls import calls
from tests.rule_context import call, context


def assistant(given: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": "ok", "tool_calls": given}]}


@pytest.mark.parametrize(
    ("given", "shaped"),
    [
        ({"id": "a", "function": {"name": "ls", "arguments": {"x": 1}}}, call(arguments='{"x":1}')),
        ({"id": "a", "type": "function", "function": {"name": "ls"}}, call()),
        ({**call(), "provider_specific_fields": {"a": 1}}, call()),
        ({"id": 5, "name": "ls", "arguments": "{}"}, call("5")),
        ({"call_id": "a", "type": "custom", "custom": {"name": "ls", "input": "x"}}, call(arguments='{"input":"x"}')),
        ({**call(), "index": True}, call()),
    ],
)
def test_calls_are_brought_into_shape(given: Any, shaped: Any) -> None:
    body = assistant([given])
    assert [change.rule for change in calls(body, context())] == ["calls"]
    assert body["messages"][0]["tool_calls"] == [shaped]


def test_an_index_is_accepted() -> None:
    body = assistant([{**call(), "index": 0}])
    assert calls(body, context()) == []
    assert body["messages"][0]["tool_calls"] == [{**call(), "index": 0}]


@pytest.mark.parametrize("given", [None, [], {}, "text"])
def test_no_calls_at_all(given: Any) -> None:
    body = assistant(given)
    assert len(calls(body, context())) == 1
    assert "tool_calls" not in body["messages"][0]


def test_what_is_no_call_stays_as_text() -> None:
    body = assistant([call(), "call me"])
    calls(body, context())
    assert body["messages"][0] == {"role": "assistant", "content": "ok\n\ncall me", "tool_calls": [call()]}


def test_calls_of_another_role_become_text() -> None:
    body = {"messages": [{"role": "user", "content": "ok", "tool_calls": [call(arguments='{"path":"a"}')]}]}
    calls(body, context(language="en"))
    assert body["messages"] == [{"role": "user", "content": 'ok\n\nAssistant calls tool ls (a): {"path":"a"}'}]
