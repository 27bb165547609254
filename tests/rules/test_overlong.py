"""The estimate of a body's tokens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.profiles import Model
from hunyuan_fix.rules import apply_chat
from hunyuan_fix.rules import overlong as module
from hunyuan_fix.rules.overlong import estimate_tokens, overlong
from hunyuan_fix.wire import json_body
from tests.rule_context import context
from tests.strategies import histories, json_values

_FEW = 60
"""Tokens of what the rules put around any history: a first and a last message."""


def said(content: Any, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], **fields}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("word" * 1000, 1000), ("截图文字" * 1000, 2400), ("截图文字word" * 1000, 3400), ("", 0)],
)
def test_words_and_chinese_characters(text: str, tokens: int) -> None:
    assert estimate_tokens(said(text)) == tokens + 4
    assert estimate_tokens(said([{"type": "text", "text": text}])) == tokens + 4


def test_images_are_not_text() -> None:
    url = "data:image/png;base64," + "A" * 1_000_000
    parts = [{"type": "text", "text": "word"}, {"type": "image_url", "image_url": {"url": url}}]
    assert estimate_tokens(said(parts)) == 5


def test_tools_calls_and_reasoning_count() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": "x" * 4000}}
    assert 1000 < estimate_tokens({"messages": [{"role": "assistant", "tool_calls": [call]}]}) < 1050
    assert 1000 < estimate_tokens({"messages": [{"role": "assistant", "reasoning_content": "x" * 4000}]}) < 1010
    assert 1000 < estimate_tokens({"messages": [], "tools": [{"function": {"description": "x" * 4000}}]}) < 1050


def test_past_the_input_limit() -> None:
    given = context(model="hunyuan-turbos-latest")
    assert overlong(said("a" * 4 * 31_990), given) is None
    assert overlong(said("a" * 4 * 32_000), given) == (32_004, 32_000)


@pytest.mark.parametrize(("max_tokens", "limit"), [(None, 1000), (400, 600), (5000, 0), (-5, 1000), ("400", 1000)])
def test_without_an_input_limit_the_answer_needs_room(max_tokens: Any, limit: int) -> None:
    given = context()
    given.model = Model("x", context=1000)
    assert overlong(said("a" * 8000, max_tokens=max_tokens), given) == (2004, limit)


@given(st.lists(st.tuples(st.sampled_from(["字", "a", "é", "𝄞"]), st.integers(0, 40)), max_size=6), st.integers(0, 100))
def test_what_needs_no_look_at_the_texts_is_decided_as_by_the_estimate(pieces: list[Any], limit: int) -> None:
    body = {"messages": [{"role": "user", "content": letter * count} for letter, count in pieces]}
    given = context()
    given.model = Model("x", input=limit)
    found, estimate = overlong(body, given), estimate_tokens(body)
    assert (found is not None) == (estimate > limit)
    assert found is None or limit < found[0] <= estimate


def test_texts_far_from_the_limit_are_not_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_text_tokens", lambda _: pytest.fail("looked at a text"))
    given = context()
    given.model = Model("x", input=1000)
    assert overlong(said("字" * 4000), given) == (1004, 1000)
    assert overlong(said("字" * 1660), given) is None


def test_an_unknown_model_has_no_limit() -> None:
    assert overlong(said("a" * 10_000_000), context(model="someone-elses")) is None


@given(histories, json_values)
def test_a_longer_history_is_estimated_longer(history: list[Any], tools: Any) -> None:
    longer = [*history, {"role": "user", "content": "more words"}]
    assert estimate_tokens({"messages": longer, "tools": tools}) > estimate_tokens(
        {"messages": history, "tools": tools}
    )


@given(json_values, json_values, st.text())
def test_nothing_raises(messages: Any, max_tokens: Any, text: str) -> None:
    body = {"messages": messages, "max_tokens": max_tokens, "tools": messages}
    assert estimate_tokens(body) >= 0
    overlong(body, context())
    assert estimate_tokens(said(text)) <= 4 + len(text)


@given(histories)
def test_a_body_of_fewer_bytes_than_the_limit_has_tokens_needs_no_count(history: list[Any]) -> None:
    """Also after the rules have filled it up: what they add at most to a body is allowed for."""
    body = {"model": "hunyuan-turbos-latest", "messages": history}
    size, given = len(json_body.serialise(body)), context(model="hunyuan-turbos-latest")
    apply_chat(body, given)
    assert estimate_tokens(body) <= size + _FEW
    assert overlong(said("a" * 4 * 32_000), given, size=32_000) is None
    assert overlong(said("a" * 4 * 32_000), given, size=32_001) is not None
