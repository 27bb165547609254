"""Which answers are kept, and what is new in one that is given again."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answer_cache.good import given_again, is_good
from hunyuan_fix.exchange import JsonObject


def chat(reason: Any = "stop", **message: Any) -> JsonObject:
    return {"choices": [{"message": message or {"content": "a"}, "finish_reason": reason}]}


JUDGED: list[tuple[str, JsonObject, bool]] = [
    ("chat", chat(), True),
    ("chat", chat("tool_calls", tool_calls=[{}]), True),
    ("chat", chat("function_call", function_call={}), False),
    ("chat", chat("stop", refusal="no"), True),
    ("chat", chat("length"), False),
    ("chat", chat("content_filter"), False),
    ("chat", chat(None), False),
    ("chat", chat("stop", content=""), False),
    ("chat", chat("stop", reasoning_content="thought alone"), False),
    ("chat", {"choices": []}, False),
    ("chat", {"choices": [None]}, False),
    ("chat", {"choices": [*chat()["choices"], *chat("length")["choices"]]}, False),
    ("chat", {**chat(), "error": {"message": "a"}}, False),
    ("anthropic-native", {"stop_reason": "end_turn", "content": [{}]}, True),
    ("anthropic-native", {"stop_reason": "tool_use", "content": [{}]}, True),
    ("anthropic-native", {"stop_reason": "max_tokens", "content": [{}]}, False),
    ("anthropic-native", {"stop_reason": "refusal", "content": [{}]}, False),
    ("anthropic-native", {"stop_reason": "pause_turn", "content": [{}]}, False),
    ("anthropic-native", {"stop_reason": "end_turn", "content": []}, False),
    ("responses-native", {"status": "completed", "output": [{}]}, True),
    ("responses-native", {"status": "incomplete", "output": [{}]}, False),
    ("responses-native", {"status": "completed", "output": []}, False),
    ("responses-native", {"status": "failed", "error": {}, "output": [{}]}, False),
]


@pytest.mark.parametrize(("form", "answer", "is_kept"), JUDGED)
def test_only_what_came_to_its_own_end_is_kept(form: str, answer: JsonObject, is_kept: bool) -> None:
    assert is_good(form, answer) == is_kept


@pytest.mark.parametrize(
    ("id", "stem"),
    [
        ("call_abcdefgh1234", "call_"),
        ("toolu_01ABCDEFGH", "toolu_"),
        ("chatcmpl-tool-0123456789abcdef", "chatcmpl-tool-"),
        ("functions.read:0", "functions.read:"),
        ("abc", ""),
        ("é", "call_"),
        ("call_", "call_"),
    ],
)
def test_ids_keep_their_kind(id: str, stem: str) -> None:
    answer = chat("tool_calls", tool_calls=[{"id": id, "function": {"name": "a"}}])
    made = {given_again("chat", answer)["choices"][0]["message"]["tool_calls"][0]["id"] for _ in range(20)}
    assert len(made) == 20
    assert id not in made
    assert all(one.startswith(stem) and len(one.removeprefix(stem)) + 2 >= 8 and len(one) <= 60 for one in made)
    assert all(one.removeprefix(stem).isalnum() for one in made)


@given(st.sampled_from(["chat", "anthropic-native", "responses-native"]), st.data())
def test_all_else_stays_and_the_kept_one_is_not_touched(form: str, data: st.DataObject) -> None:
    block = st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "tool_use", "function_call", "reasoning"])},
        optional={"text": st.text(max_size=3), "call_id": st.just("call_12345678")},
    )
    blocks = data.draw(st.lists(block, max_size=4))
    answer: JsonObject = {"id": "x_1234567", "content": blocks, "output": blocks, "choices": [{"message": {}}, None]}
    before = copy.deepcopy(answer)
    made = given_again(form, answer)
    assert answer == before
    ids = json.dumps([made["id"], *(block.get("call_id") for block in made["output"])])
    assert made["id"] != answer["id"]
    if form != "responses-native":
        assert "call_12345678" in ids or not any("call_id" in block for block in blocks)
    assert [{**block, "call_id": ""} for block in made["output"]] == [{**block, "call_id": ""} for block in blocks]
