"""Reasoning in the history, in its many spellings."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hunyuan_fix.rules.reasoning import reasoning
from tests.rule_context import call, context

REDACTED = {"type": "redacted_thinking", "data": "QUJD" * 100}
PARTS: list[tuple[Any, str]] = [
    ({"type": "thinking", "thinking": "2+2", "signature": "QUJD"}, "2+2"),
    ({"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]}, "2+2"),  # Mistral
    ({"type": "reasoning", "text": "2+2"}, "2+2"),  # AI SDK
    ({"type": "reasoning", "reasoning": "2+2"}, "2+2"),  # LangChain
    ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "2+2"}]}, "2+2"),  # Responses
    ({"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "2+2"}]}, "2+2"),
    ({"type": "reasoning_content", "reasoning_content": {"type": "text", "text": "2+2"}}, "2+2"),  # LangChain, Bedrock
    ({"reasoningContent": {"reasoningText": {"text": "2+2", "signature": "QUJD"}}}, "2+2"),  # Bedrock
    ({"type": "reasoning.text", "text": "2+2"}, "2+2"),
    ({"type": "summary_text", "text": "2+2"}, "2+2"),
    ({"type": "text", "text": "2+2", "thought": True}, "2+2"),  # Gemini
    ({"text": "2+2", "thought": True}, "2+2"),
    ([[{"type": "Thinking", "thinking": "2+2"}]], "2+2"),
    (REDACTED, ""),
    ({"type": "redacted-reasoning", "data": "QUJD"}, ""),
    ({"type": "reasoning", "encrypted_content": "QUJD", "summary": []}, ""),
]
FIELDS: list[tuple[str, Any, str]] = [
    ("reasoning", "2+2", "2+2"),
    ("reasoning_text", "2+2", "2+2"),
    ("thinking", "2+2", "2+2"),
    ("thinking", {"content": "2+2", "signature": "QUJD"}, "2+2"),
    ("thinking_blocks", [{"type": "thinking", "thinking": "2+2"}, REDACTED], "2+2"),
    ("thinking_blocks", [{"type": "thinking", "thinking": "2"}, {"type": "thinking", "thinking": "+2"}], "2\n\n+2"),
    ("reasoning_details", [{"type": "reasoning.summary", "summary": "2+2"}], "2+2"),
    ("reasoning_details", [{"type": "reasoning.encrypted", "data": "QUJD"}], ""),
    ("reasoning_content", [{"type": "text", "text": "2+2"}], "2+2"),
    ("reasoning", {"effort": {}}, ""),
    ("reasoning", [None, 3, [["2+2"]]], "2+2"),
]


def assistant(content: Any = "4", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": content, **fields}]}


def reasoned(body: dict[str, Any], profile: str) -> dict[str, Any]:
    """The message after the rule, which has nothing to do the second time."""
    before = copy.deepcopy(body)
    changes = reasoning(body, context(profile))
    assert bool(changes) == (body != before)
    assert {change.rule for change in changes} <= {"reasoning"}
    assert reasoning(copy.deepcopy(body), context(profile)) == []
    [message] = body["messages"]
    return dict(message)


@pytest.mark.parametrize(("part", "text"), PARTS)
def test_parts_of_reasoning(part: Any, text: str) -> None:
    said = [{"type": "text", "text": "4"}]
    assert reasoned(assistant([part, *said]), "hunyuan") == {"role": "assistant", "content": said}
    kept = {"reasoning_content": text} if text else {}
    assert reasoned(assistant([part, *said]), "tokenhub") == {"role": "assistant", "content": said, **kept}


@pytest.mark.parametrize(("name", "value", "text"), FIELDS)
def test_fields_of_reasoning(name: str, value: Any, text: str) -> None:
    assert reasoned(assistant(**{name: value}), "hunyuan") == {"role": "assistant", "content": "4"}
    kept = {"reasoning_content": text} if text else {}
    assert reasoned(assistant(**{name: value}), "tokenhub") == {"role": "assistant", "content": "4", **kept}


def test_the_endpoints_own_name_wins() -> None:
    thought = {"type": "thinking", "thinking": "other"}
    message = assistant([thought], reasoning="other", reasoning_content="2+2")
    assert reasoned(message, "tokenhub") == {"role": "assistant", "content": None, "reasoning_content": "2+2"}
    empty = assistant(reasoning="2+2", reasoning_content="")
    assert reasoned(empty, "tokenhub") == {"role": "assistant", "content": "4", "reasoning_content": "2+2"}
    both_empty = assistant(reasoning="", reasoning_content="")
    assert reasoned(both_empty, "tokenhub") == {"role": "assistant", "content": "4", "reasoning_content": ""}


def test_reasoning_alone_leaves_no_content() -> None:
    alone = assistant({"type": "thinking", "thinking": "2+2"})
    assert reasoned(copy.deepcopy(alone), "hunyuan") == {"role": "assistant", "content": None}
    assert reasoned(alone, "tokenhub") == {"role": "assistant", "content": None, "reasoning_content": "2+2"}


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
def test_thoughts_in_the_text_and_of_others_stay(profile: str) -> None:
    body = {
        "messages": [
            {"role": "user", "content": [{"type": "thinking", "thinking": "mine"}, {"type": "summary", "text": "s"}]},
            {"role": "assistant", "content": "<think>2+2</think>4"},
            {"role": "assistant", "content": [{"type": "text", "text": "<think>2+2</think>4", "thought": False}]},
        ]
    }
    before = copy.deepcopy(body)
    assert reasoning(body, context(profile)) == []
    assert body == before


def test_nesting_as_deep_as_a_body_can_be() -> None:
    deep: Any = "2+2"
    for _ in range(500):
        deep = [{"thinking": deep}]
    body = assistant([deep], thinking=deep)
    reasoning(body, context("tokenhub"))
    assert body["messages"][0]["reasoning_content"] == "2+2"


def test_legacy_reasoning_goes() -> None:
    body = {"messages": [{"role": "assistant", "content": "4", "reasoning_content": "2+2", "reasoning": "x"}]}
    changes = reasoning(body, context())
    assert body == {"messages": [{"role": "assistant", "content": "4"}]}
    assert {change.rule for change in changes} == {"reasoning"}


def test_tokenhub_reasoning_stays() -> None:
    body = {"messages": [{"role": "assistant", "content": "4", "reasoning_content": "2+2"}]}
    assert reasoning(body, context("tokenhub")) == []


def test_tokenhub_knows_reasoning_by_its_own_name() -> None:
    body: dict[str, Any] = {"messages": [{"role": "assistant", "content": "4", "reasoning": "2+2"}]}
    reasoning(body, context("tokenhub"))
    assert body["messages"] == [{"role": "assistant", "content": "4", "reasoning_content": "2+2"}]


@pytest.mark.parametrize(("thinking", "added"), [("enabled", True), ("adaptive", True), ("disabled", False)])
def test_a_thinking_model_gets_its_reasoning_back_even_if_the_client_lost_it(thinking: str, added: bool) -> None:
    message = {"role": "assistant", "content": "ok", "tool_calls": [call()]}
    body: dict[str, Any] = {"messages": [message], "thinking": {"type": thinking}}
    changes = reasoning(body, context("tokenhub"))
    assert bool(changes) is added
    assert message.get("reasoning_content") == ("" if added else None)
