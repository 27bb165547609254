"""Empty content."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.rules.placeholders import placeholders
from tests.rule_context import call, context

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
EMPTY: tuple[Any, ...] = (None, "", " \n", [], [{"type": "text", "text": " "}])


@pytest.mark.parametrize("content", EMPTY)
@pytest.mark.parametrize(
    ("role", "text"), [("user", "请继续。"), ("assistant", "好的，我来处理。"), ("tool", "工具执行完成，没有输出。")]
)
def test_a_placeholder_by_role(role: str, text: str, content: Any) -> None:
    body = {"messages": [{"role": role, "content": content}]}
    assert len(placeholders(body, context())) == 1
    assert body["messages"][0]["content"] == text


@pytest.mark.parametrize("content", EMPTY)
def test_an_assistant_with_calls_names_the_tools(content: Any) -> None:
    message = {"role": "assistant", "content": content, "tool_calls": [call("a", "ls"), call("b", "cat")]}
    placeholders({"messages": [message]}, context())
    assert message["content"] == "我将调用工具：ls, cat"


def test_an_absent_content_is_empty_too() -> None:
    message: dict[str, Any] = {"role": "assistant", "tool_calls": [call("a", "ls")]}
    placeholders({"messages": [message]}, context(language="en"))
    assert message["content"] == "I will call: ls"


def test_tokenhub_needs_no_text_beside_tool_calls() -> None:
    body = {"messages": [{"role": "assistant", "content": None, "tool_calls": [call()]}]}
    assert placeholders(body, context("tokenhub")) == []


def test_tokenhub_takes_no_white_space_for_text() -> None:
    body: dict[str, Any] = {"messages": [{"role": "assistant", "content": " ", "tool_calls": [call()]}]}
    assert len(placeholders(body, context("tokenhub"))) == 1
    assert body["messages"][0]["content"] is None


def test_blank_text_parts_go() -> None:
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "hi"}, IMAGE]}]
    }
    assert len(placeholders(body, context())) == 1
    assert body["messages"][0]["content"] == [{"type": "text", "text": "hi"}, IMAGE]


def test_an_image_alone_gets_a_text() -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": [IMAGE]}]}
    placeholders(body, context())
    assert body["messages"][0]["content"] == [{"type": "text", "text": "请看图片。"}, IMAGE]
