"""An answer is recorded the same each time: its ids and its time say nothing of what was answered."""

from __future__ import annotations

import json
from typing import Any

from hunyuan_fix.recording.answers import stable
from tests.recording.calls import answer


def test_two_answers_that_say_the_same_are_the_same() -> None:
    one, other = answer("hi", id="chatcmpl-abc"), {**answer("hi", id="chatcmpl-xyz"), "created": 5}
    assert stable(one, "c1") == stable({**other, "system_fingerprint": "fp_1"}, "c1")
    assert stable(one, "c1")["id"] != stable(one, "c2")["id"], "each call has ids of its own"
    assert stable(one, "c1")["id"].startswith("chatcmpl-")
    assert one["id"] == "chatcmpl-abc", "the answer itself is not changed"


def test_calls_keep_their_form_and_are_told_apart() -> None:
    calls = [
        {"id": id, "type": "function", "function": {"name": "x"}} for id in ("call_1a", "toolu_01Z", "functions.x:0")
    ]
    made = stable({"choices": [{"message": {"tool_calls": calls}}]}, "c1")["choices"][0]["message"]["tool_calls"]
    ids = [call["id"] for call in made]
    assert [id.partition("_")[0] for id in ids[:2]] == ["call", "toolu"]
    assert ids[2] == "functions.x:0", "a model may want its own form back"
    assert len(set(ids)) == 3


def test_an_id_that_stands_twice_stays_one() -> None:
    made = stable({"output": [{"id": "fc_1", "call_id": "call_1"}, {"item_id": "fc_1"}]}, "c")
    assert made["output"][0]["id"] == made["output"][1]["item_id"] != made["output"][0]["call_id"]


def test_what_a_model_says_stays() -> None:
    content: list[Any] = [{"type": "tool_use", "id": "toolu_1", "input": {"id": "mine", "created": 3}}]
    made = stable({"content": content, "arguments": '{"id": "x"}'}, "c")
    assert made["content"][0]["input"] == {"id": "mine", "created": 3}
    assert made["arguments"] == '{"id": "x"}'
    text = answer('{"id": "a", "created": 1}')
    assert json.dumps(text["choices"]) == json.dumps(stable(text, "c")["choices"])
