"""Tokens of chat requests: recorded ones against Qwen's tokenizer, and what counts in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.counting.body import MESSAGE, count, rough
from hunyuan_fix.counting.text import tokens
from tests.counting import judge
from tests.looped import each
from tests.strategies import histories, json_values

LONG = "some words " * 400


def said(content: Any, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], **fields}


@each("name", judge.requests())
def test_recorded_requests_have_up_to_a_quarter_more_than_the_tokenizer_counts(name: str) -> None:
    body, counted = judge.requests()[name], judge.recorded()[name]
    assert 1.0 <= count(body) / counted <= 1.25
    assert 0.9 <= rough(body) / counted <= 1.4


def test_what_the_model_reads_counts() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": LONG}}
    most = tokens(LONG) + MESSAGE
    for body in (
        said(LONG),
        said([{"type": "text", "text": LONG}]),
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]},
        {"messages": [{"role": "assistant", "content": "", "reasoning_content": LONG}]},
        {"messages": [{"role": "assistant", "function_call": {"name": "ls", "arguments": LONG}}]},
        {"messages": [{"role": "user", "content": ""}], "tools": [{"function": {"description": LONG}}]},
        {"messages": [{"role": "user", "content": ""}], "functions": [{"description": LONG}]},
    ):
        assert most <= count(body) <= most + 30


def test_what_it_does_not_read_costs_nothing() -> None:
    call = {"id": LONG, "type": "function", "function": {"name": "ls", "arguments": "{}"}}
    assert count({"messages": [{"role": "assistant", "content": "", "tool_calls": [call]}], "user": LONG}) < 30


def test_images_count_by_their_size_and_their_data_not_at_all() -> None:
    small = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    assert count(said([small])) == MESSAGE + 1600
    assert count(said([{"type": "image_url", "image_url": "https://example.com/a.png"}])) == MESSAGE + 1600
    assert count(said([small, {"type": "text", "text": "word"}, small])) == MESSAGE + 3201


@given(histories, json_values)
def test_a_longer_history_has_more(history: list[Any], tools: Any) -> None:
    longer = [*history, {"role": "user", "content": "more words"}]
    assert count({"messages": longer, "tools": tools}) > count({"messages": history, "tools": tools})


@given(json_values, json_values, st.text())
def test_nothing_raises(messages: Any, tools: Any, text: str) -> None:
    body = {"messages": messages, "tools": tools, "functions": text}
    assert count(body) == rough(body) >= 0
    assert count({"messages": [{"content": messages, "tool_calls": tools, "function_call": messages}]}) >= 0


def test_work_under_way_can_be_given_up() -> None:
    class GivenUp(Exception):
        pass

    def checkpoint() -> None:
        raise GivenUp

    with pytest.raises(GivenUp):
        count({"messages": [{"role": "user", "content": "word " * 1000}]}, checkpoint)
