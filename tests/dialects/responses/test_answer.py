"""Whole chat answers as responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.dialects.responses import answer as whole_answers
from hunyuan_fix.dialects.responses import sealing
from tests.dialects.anthropic.answering import answer, call
from tests.dialects.chat_answers import USAGE
from tests.dialects.responses.answering import CODEX, COUNTED, NOTE, items, response, said


def test_a_response_repeats_the_request_and_names_the_model_that_was_asked_for() -> None:
    echo = {
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "tools": [{"type": "function", "name": "ls", "parameters": None}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "temperature": 0.2,
        "store": False,
        "text": {"format": {"type": "json_object"}},
    }
    made = response(answer(content="Hello."), echo=echo)
    assert {key: made[key] for key in echo} == echo
    assert (made["model"], made["created_at"], made["status"], made["id"]) == ("gpt-hy3", 1, "completed", "resp_1")
    assert (made["error"], made["incomplete_details"], made["truncation"]) == (None, None, "disabled")
    assert items(made) == [said("Hello.")]
    assert made["usage"] == COUNTED


def test_the_note_keeps_the_id_and_the_output() -> None:
    note = {key: value for key, value in NOTE.items() if key != "id"}
    made = whole_answers.response(answer(content="a"), note)
    assert note["id"] == made["id"] and note["items"] == made["output"]
    other = {key: value for key, value in NOTE.items() if key != "id"}
    assert whole_answers.response(answer(content="a"), other)["id"] != made["id"], "endpoints may repeat theirs"


def test_reasoning_message_and_calls_are_in_this_order() -> None:
    chat = answer("tool_calls", content="I look.", reasoning_content="Hm.", tool_calls=[call(), call(call_id="b")])
    made = response(chat)
    assert [item["type"] for item in made["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert [item["status"] for item in made["output"]] == ["completed"] * 4
    assert len({item["id"] for item in made["output"]}) == 4


@pytest.mark.parametrize("summary", [False, True])
@pytest.mark.parametrize("encrypted", [False, True])
def test_reasoning_is_text_a_summary_where_asked_and_sealed_where_asked(summary: bool, encrypted: bool) -> None:
    asked = {"summary": summary, "encrypted": encrypted}
    item = response(answer(content="a", reasoning_content="Hm."), reasoning=asked)["output"][0]
    assert item["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert item["summary"] == ([{"type": "summary_text", "text": "Hm."}] if summary else [])
    sealed = item["encrypted_content"]
    assert (sealing.opened("reasoning", sealed) == "Hm.") if encrypted else sealed is None


def test_blank_reasoning_is_kept_before_calls_alone() -> None:
    assert items(response(answer(content="a", reasoning_content=" "))) == [said("a")]
    made = response(answer(content=None, reasoning_content="", tool_calls=[call()]))
    assert [item["type"] for item in made["output"]] == ["reasoning", "function_call"]
    assert made["output"][0]["content"][0]["text"] == ""


def test_an_answer_without_content_has_no_items() -> None:
    made = response(answer(content=""))
    assert (made["output"], made["status"]) == ([], "completed")
    assert response({})["output"] == []


@pytest.mark.parametrize("finish", ["length", "max_tokens", "model_length"])
def test_an_answer_that_was_cut_is_incomplete(finish: str) -> None:
    made = response(answer(finish, content="Hel", reasoning_content="Hm."))
    assert (made["status"], made["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert [item["status"] for item in made["output"]] == ["completed", "incomplete"]


def test_a_cut_call_keeps_its_text_and_says_so() -> None:
    whole, cut = call(arguments='{"a": 1}'), call(arguments='{"a": ', call_id="b")
    made = response(answer("length", content=None, tool_calls=[whole, cut]))
    assert [(item["arguments"], item["status"]) for item in made["output"]] == [
        ('{"a": 1}', "completed"),
        ('{"a": ', "incomplete"),
    ]


@pytest.mark.parametrize("kind", ["custom", "shell", "local_shell", "apply_patch", "tool_search"])
def test_half_a_command_is_never_given_out(kind: str) -> None:
    """Codex runs a custom call as soon as its item is done, whatever its status."""
    tools = {"do": {"kind": kind, "name": "do"}}
    for arguments in ('{"input": "rm -rf /tmp/', "rm -rf /tmp/"):
        made = response(answer("length", content=None, tool_calls=[call("do", arguments)]), tools=tools)
        assert (made["output"], made["status"]) == ([], "incomplete")
    whole = response(answer("length", content=None, tool_calls=[call("do", '{"input": "ls"}')]), tools=tools)
    assert len(whole["output"]) == 1
    half = [call("do", '{"input": "rm -rf /tmp/'), call("ls", call_id="b")]
    assert len(response(answer("length", content=None, tool_calls=half), tools=tools)["output"]) == 1
    before = [call("do", "ls"), call("ls", '{"a', call_id="b")]
    assert len(response(answer("length", content=None, tool_calls=before), tools=tools)["output"]) == 2


@pytest.mark.parametrize(("finish", "language"), [("content_filter", "en"), ("sensitive", "zh")])
def test_a_filtered_answer_is_complete_and_says_so(finish: str, language: str) -> None:
    """Codex asks again after an incomplete one."""
    text = {"en": "Hello", "zh": "你好"}[language]
    made = response(answer(finish, content=text))
    assert made["status"] == "completed"
    (item,) = made["output"]
    assert item["content"][0]["text"].startswith(text + "\n\n") and item["status"] == "completed"


def test_a_refusal_is_a_part_of_its_own_but_for_codex() -> None:
    refusal = answer(content=None, refusal="I can't.")
    assert response(refusal)["output"][0]["content"] == [{"type": "refusal", "refusal": "I can't."}]
    assert items(response(refusal, client="codex")) == [said("I can't.")]


def test_arguments_keep_their_bytes() -> None:
    for text in ('{"b":1,  "a":"\\u00e9"}', ' {"a": 1} ', '{"a": NaN}', '{"a"'):
        made = response(answer("tool_calls", content=None, tool_calls=[call(arguments=text)]))
        assert made["output"][0]["arguments"] == text


@pytest.mark.parametrize(
    ("given", "made"), [("", "{}"), ("null", "{}"), (json.dumps('{"a": 1}'), '{"a": 1}'), ("ls", '{"arguments":"ls"}')]
)
def test_arguments_that_are_no_object_become_one(given: str, made: str) -> None:
    (item,) = response(answer("tool_calls", content=None, tool_calls=[call(arguments=given)]))["output"]
    assert item["arguments"] == made


def test_ids_of_calls_are_the_endpoints_and_made_where_they_are_missing() -> None:
    calls = [call(call_id="functions.view:0"), call(call_id=""), call(call_id="functions.view:0")]
    ids = [item["call_id"] for item in response(answer("tool_calls", content=None, tool_calls=calls))["output"]]
    assert ids[0] == "functions.view:0" and all(ids) and len(set(ids)) == 3


def test_names_are_the_clients_with_their_namespace() -> None:
    calls = [call("mcp__odd__add"), call("ls", call_id="b")]
    made = items(response(answer("tool_calls", content=None, tool_calls=calls), **CODEX))
    assert made == [
        {"type": "function_call", "call_id": "call_1", "name": "add", "namespace": "mcp__odd", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "ls", "arguments": "{}"},
    ]


def test_a_custom_tool_in_a_namespace_has_it_too() -> None:
    tools = {"ns__run": {"kind": "custom", "name": "run", "namespace": "ns"}}
    (item,) = items(response(answer(tool_calls=[call("ns__run", '{"input": "x"}')]), tools=tools))
    assert (item["type"], item["name"], item["namespace"], item["input"]) == ("custom_tool_call", "run", "ns", "x")


def test_calls_without_a_name_are_left_out_and_a_turn_without_any_other_fails() -> None:
    some = response(answer("tool_calls", content="I look.", tool_calls=[call(""), call("ls", call_id="b")]))
    assert [item["type"] for item in some["output"]] == ["message", "function_call"]
    assert some["status"] == "completed"
    note: dict[str, Any] = dict(NOTE)
    none = whole_answers.response(answer("tool_calls", content="I look.", tool_calls=[call("")]), note)
    assert (none["status"], none["error"]["code"]) == ("failed", "server_error")
    assert "items" not in note, "what failed is not kept"


def test_usage_is_whole_and_estimates_are_marked() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 3}}
    assert response(answer(content="a", usage={**USAGE, **details}))["usage"] == {
        **COUNTED,
        "output_tokens_details": {"reasoning_tokens": 3},
    }
    made = response(answer(content="x" * 30, usage=None), echo={"metadata": {"a": "b"}})
    assert made["usage"] == {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1010,
    }
    assert made["metadata"]["a"] == "b" and "estimated" in made["metadata"]["usage"]
    assert "usage" not in response(answer(content="a"))["metadata"]


@pytest.mark.parametrize(
    ("usage", "content", "estimated"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 0}, "a", True),
        ({"prompt_tokens": 0, "completion_tokens": 5}, "a", True),
        ({"prompt_tokens": 5, "total_tokens": 7}, "a", False),
        ({"total_tokens": 7, "completion_tokens": 5}, "a", False),
        ({"prompt_tokens": 5, "completion_tokens": 0}, None, False),
    ],
)
def test_half_a_count_is_an_estimate(usage: Any, content: str | None, estimated: bool) -> None:
    assert ("usage" in response(answer(content=content, usage=usage))["metadata"]) is estimated


def test_the_clients_own_metadata_is_not_pushed_out() -> None:
    full = {str(number): "x" for number in range(16)}
    assert response(answer(content="a", usage=None), echo={"metadata": full})["metadata"] == full
    own = {"usage": "mine"}
    assert response(answer(content="a", usage=None), echo={"metadata": own})["metadata"] == own


@pytest.mark.parametrize("given", [None, 5, "", "resp_", "x", "resp_a/../b", "resp_" + "x" * 100])
def test_an_id_that_is_none_is_made_anew(given: Any) -> None:
    note = {**NOTE, "id": given}
    assert whole_answers.response(answer(content="a"), note)["id"] == note["id"] != given


# Compaction


def test_a_compaction_is_one_sealed_item() -> None:
    chat = answer("tool_calls", content="The summary.", reasoning_content="Hm.", tool_calls=[call()])
    made = response(chat, compact=True)
    (item,) = made["output"]
    assert item.keys() == {"type", "id", "encrypted_content"} and item["type"] == "compaction"
    assert sealing.opened("compaction", item["encrypted_content"]) == "The summary."
    assert (made["status"], made["usage"]) == ("completed", COUNTED)


def test_a_summary_that_was_cut_says_so_and_is_complete() -> None:
    """Codex ends a session whose compaction is incomplete."""
    made = response(answer("length", content="The summ"), compact=True)
    assert made["status"] == "completed"
    text = sealing.opened("compaction", made["output"][0]["encrypted_content"])
    assert text is not None and text.startswith("The summ") and "cut off" in text


@pytest.mark.parametrize(
    "chat",
    [
        answer(content=" \n"),
        answer(content=None, reasoning_content="Hm."),
        answer(content=None, refusal="No."),
        answer("content_filter", content="The summ"),
    ],
)
def test_a_conversation_is_not_replaced_by_nothing(chat: dict[str, Any]) -> None:
    made = response(chat, compact=True)
    assert (made["status"], made["output"]) == ("failed", [])
