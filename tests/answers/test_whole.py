from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.whole import repair_answer
from hunyuan_fix.exchange import AnswerPlan, JsonObject
from hunyuan_fix.wire import rule_names


def answer(content: str, finish: str | None = "stop", **message: object) -> JsonObject:
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion", "choices": [choice], "usage": {"total_tokens": 1}, "note": "…"}


CALL = {"id": "call_1", "type": "function", "index": 0, "function": {"name": "f_1", "arguments": "{}"}}


def test_an_answer_that_needs_nothing_stays() -> None:
    body = answer("x", "tool_calls", tool_calls=[CALL])
    before = copy.deepcopy(body)
    assert repair_answer(body, AnswerPlan()) == []
    assert body == before


def test_moderation_has_openai_s_name() -> None:
    body = answer("部分", "sensitive")
    (change,) = repair_answer(body, AnswerPlan())
    assert body == answer("部分", "content_filter")
    assert (change.rule, change.pointer) == (rule_names.FINISH_REASON, "/choices/0/finish_reason")


def test_tools_have_the_client_s_names() -> None:
    body = answer("x", "tool_calls", tool_calls=[copy.deepcopy(CALL)])
    changes = repair_answer(body, AnswerPlan(tool_names={"f_1": "f.1"}))
    assert body["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "f.1"
    assert [change.rule for change in changes] == [rule_names.TOOL_NAMES]


def test_a_client_of_functions_gets_a_function_call_under_its_own_name() -> None:
    body = answer("x", "tool_calls", tool_calls=[copy.deepcopy(CALL)])
    changes = repair_answer(body, AnswerPlan(tool_names={"f_1": "f.1"}, function_call=True))
    assert body == answer("x", "function_call", function_call={"name": "f.1", "arguments": "{}"})
    assert [change.pointer for change in changes] == [
        "/choices/0/message/tool_calls/0/function/name",
        "/choices/0/message/tool_calls",
        "/choices/0/finish_reason",
    ]


def test_stop_text_and_fence_come_off_together() -> None:
    body = answer("```json\n{}\n```END")
    changes = repair_answer(body, AnswerPlan(stop=["END"], json_fence=True))
    assert body == answer("{}")
    assert [change.rule for change in changes] == [rule_names.STOP, rule_names.JSON_FENCE]


@pytest.mark.parametrize("finish", ["length", None, "content_filter", ""])
def test_stop_text_stays_where_the_model_did_not_stop(finish: str | None) -> None:
    body = answer("x END", finish)
    assert repair_answer(body, AnswerPlan(stop=["END"])) == []


JUNK = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.sampled_from(["sensitive", "tool_calls", "stop"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "tool_calls", "function", "name", "finish_reason"]), inner
        )
    ),
)


@given(st.dictionaries(st.just("choices"), JUNK))
def test_any_shape_is_borne(body: JsonObject) -> None:
    plan = AnswerPlan(tool_names={"a": "b"}, function_call=True, json_fence=True, stop=["a"])
    before = copy.deepcopy(body)
    changes = repair_answer(body, plan)
    assert bool(changes) == (body != before)


def test_usage_that_stands_in_a_choice_alone_is_given_in_its_place() -> None:
    used = {"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 4}
    body = answer("x")
    body["usage"], body["choices"][0]["usage"] = None, dict(used)
    changes = repair_answer(body, AnswerPlan())
    assert body["usage"] == {**used, "prompt_tokens_details": {"cached_tokens": 4}}
    assert body["choices"][0]["usage"] == used
    assert {change.rule for change in changes} == {rule_names.USAGE}
    assert repair_answer(body, AnswerPlan()) == []
