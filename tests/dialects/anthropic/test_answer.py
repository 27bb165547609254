"""Whole chat answers as messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.dialects.anthropic import Anthropic, thinking
from tests.dialects.anthropic.answering import COUNTED, NOTE, answer, call, message
from tests.dialects.chat_answers import USAGE


def kinds(made: dict[str, Any]) -> list[str]:
    return [block["type"] for block in made["content"]]


def test_a_text() -> None:
    assert message(answer(content="Hello.")) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-hy3",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": COUNTED,
    }


def test_thinking_text_and_calls_in_this_order() -> None:
    made = message(
        answer("tool_calls", reasoning_content="Hm.", content="I look.", tool_calls=[call(arguments='{"path": "/"}')])
    )
    assert made["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": thinking.signature("Hm.", omitted=False)},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "call_1", "name": "ls", "input": {"path": "/"}},
    ]
    assert made["stop_reason"] == "tool_use"


# Ids, names


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("chatcmpl-abc", "msg_abc"),
        ("msg_abc", "msg_abc"),
        ("0a1b/2c d", "msg_0a1b2cd"),
        ("x" * 100, "msg_" + "x" * 64),
    ],
)
def test_the_id_is_made_of_the_answers(given: str, wanted: str) -> None:
    assert message({**answer(content="a"), "id": given})["id"] == wanted


@pytest.mark.parametrize("given", [None, "", 5, "///", ["x"]])
def test_an_answer_without_an_id_gets_one_of_its_own(given: Any) -> None:
    first, second = (message({**answer(content="a"), "id": given})["id"] for _ in range(2))
    assert first.startswith("msg_") and len(first) > 20
    assert first != second, "Claude Code joins messages of one id"


def test_the_model_is_the_one_that_was_asked_for() -> None:
    assert message(answer(content="a"), model="claude-sonnet-5[1m]")["model"] == "claude-sonnet-5[1m]"
    assert Anthropic().answer(answer(content="a"), {})["model"] == "hy3"
    assert Anthropic().answer({}, {})["model"] == ""


def test_tools_have_the_clients_names() -> None:
    made = message(
        answer(tool_calls=[call("mcp_odd_1a2b"), call("Bash", call_id="call_2")]),
        tool_names={"mcp_odd_1a2b": "mcp__odd.server__list"},
    )
    assert [block["name"] for block in made["content"]] == ["mcp__odd.server__list", "Bash"]


def test_ids_of_calls_stay_and_no_two_are_the_same() -> None:
    calls = [call(call_id=given) for given in ("toolu_9", "functions.Bash:2", "toolu_9", "toolu_9_2", "toolu_9")]
    ids = [block["id"] for block in message(answer(tool_calls=calls))["content"]]
    assert ids[:2] == ["toolu_9", "functions.Bash:2"]
    assert len(set(ids)) == len(calls)


def test_a_call_without_an_id_gets_one_that_no_other_answer_has() -> None:
    calls = [call(call_id=""), {"function": {"name": "ls"}}, call(call_id=7)]  # type: ignore[arg-type]
    first, second = (
        [block["id"] for block in message({**answer(tool_calls=calls), "id": given})["content"]] for given in "ab"
    )
    assert first == ["toolu_a_0", "toolu_a_1", "7"]
    assert second[:2] == ["toolu_b_0", "toolu_b_1"]


# Arguments


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        ("", {}),
        ("  ", {}),
        (None, {}),
        ("null", {}),
        ({"a": 1}, {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('{"a": 1', {"arguments": '{"a": 1'}),
        ("[1, 2]", {"arguments": "[1, 2]"}),
        ("rm -rf", {"arguments": "rm -rf"}),
        ('{"a": NaN}', {"arguments": '{"a": NaN}'}),
        ('{"n": 123456789012345678901234567890}', {"n": 123456789012345678901234567890}),
    ],
)
def test_an_input_is_an_object_and_loses_nothing(given: Any, wanted: Any) -> None:
    assert message(answer(tool_calls=[call(arguments=given)]))["content"][0]["input"] == wanted


def test_an_input_of_more_values_than_are_read_is_kept_as_text() -> None:
    text = json.dumps({"a": [0] * 600_000})
    assert message(answer(tool_calls=[call(arguments=text)]))["content"][0]["input"] == {"arguments": text}


def test_the_deprecated_function_call_is_a_call() -> None:
    made = message(answer("function_call", content=None, function_call={"name": "ls", "arguments": '{"a":1}'}))
    assert made["content"] == [{"type": "tool_use", "id": "toolu_1_0", "name": "ls", "input": {"a": 1}}]
    assert made["stop_reason"] == "tool_use"


def test_what_is_no_call_is_left_out() -> None:
    made = message(answer("tool_calls", content="a", tool_calls=[None, "x", []]))
    assert (kinds(made), made["stop_reason"]) == (["text"], "end_turn")


# Thinking


def test_thinking_is_not_answered_to_who_did_not_ask() -> None:
    made = message(answer(reasoning_content="Hm.", content="Yes."), thinking="off")
    assert kinds(made) == ["text"]
    assert kinds(Anthropic().answer(answer(reasoning_content="Hm.", content="Yes."), {})) == ["text"]


def test_omitted_thinking_is_in_the_signature() -> None:
    (block,) = message(answer(reasoning_content="Hm. " * 50), thinking="omitted")["content"]
    assert block["thinking"] == ""
    assert thinking.carried(block["signature"]) == "Hm. " * 50


def test_newer_servers_call_it_reasoning() -> None:
    made = message(answer(reasoning="Hm.", reasoning_content="", content="a"))
    assert made["content"][0]["thinking"] == "Hm."


def test_several_words_for_it_are_one_thought() -> None:
    made = message(answer(reasoning="Hm.", reasoning_content="Hm.", content="a"))
    assert [block.get("thinking") for block in made["content"]] == ["Hm.", None]


@pytest.mark.parametrize("empty", ["", "\n"])
def test_an_empty_thought_is_told_before_calls_only(empty: str) -> None:
    assert kinds(message(answer(reasoning_content=empty, content="a"))) == ["text"]
    made = message(answer("tool_calls", reasoning_content=empty, content="a", tool_calls=[call()]))
    assert kinds(made) == ["text", "thinking", "tool_use"]
    assert made["content"][1]["thinking"] == empty
    off = message(answer("tool_calls", reasoning_content=empty, tool_calls=[call()]), thinking="off")
    assert kinds(off) == ["tool_use"]


# Text


@pytest.mark.parametrize("blank", [None, "", " ", "\n\n", []])
def test_a_blank_text_is_no_block(blank: Any) -> None:
    assert kinds(message(answer("tool_calls", content=blank, tool_calls=[call()]))) == ["tool_use"]
    assert kinds(message(answer(content=blank))) == []


def test_white_space_around_a_text_stays() -> None:
    assert message(answer(content="\n\nHello \n"))["content"][0]["text"] == "\n\nHello \n"


def test_parts_are_one_text() -> None:
    parts = [{"type": "text", "text": "a"}, "b", None, {"type": "image_url", "image_url": {"url": "u"}}]
    text = message(answer(content=parts))["content"][0]["text"]
    assert text == 'ab{"type":"image_url","image_url":{"url":"u"}}'


def test_a_refusal_is_text() -> None:
    made = message(answer(content=None, refusal="I can't help with that."))
    assert made["content"] == [{"type": "text", "text": "I can't help with that."}]
    assert made["stop_reason"] == "end_turn"


# Why it stopped


@pytest.mark.parametrize(
    ("finish", "calls", "wanted"),
    [
        ("stop", False, "end_turn"),
        ("stop", True, "tool_use"),
        ("tool_calls", True, "tool_use"),
        ("function_call", True, "tool_use"),
        ("tool_calls", False, "end_turn"),
        (None, False, "end_turn"),
        (None, True, "tool_use"),
        ("eos", True, "tool_use"),
        (["stop"], False, "end_turn"),
        ("length", False, "max_tokens"),
        ("LENGTH", False, "max_tokens"),
        ("length", True, "max_tokens"),
        ("max_output_tokens", False, "max_tokens"),
        ("content_filter", False, "end_turn"),
        ("content_filter", True, "end_turn"),
        ("sensitive", False, "end_turn"),
    ],
)
def test_stop_reasons(finish: Any, calls: bool, wanted: str) -> None:
    made = message(answer(finish, content="a", tool_calls=[call()] if calls else None))
    assert (made["stop_reason"], made["stop_sequence"]) == (wanted, None)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Some", "Some\n\n(The endpoint's moderation ended this answer here.)"),
        ("一些内容", "一些内容\n\n（服务端的内容审核在此处中止了这条回答。）"),
        ("", "(The endpoint's moderation ended this answer here.)"),
    ],
)
@pytest.mark.parametrize("finish", ["content_filter", "sensitive"])
def test_a_filtered_answer_says_so(text: str, wanted: str, finish: str) -> None:
    assert message(answer(finish, content=text))["content"] == [{"type": "text", "text": wanted}]


def test_the_notice_follows_the_calls() -> None:
    made = message(answer("content_filter", content="a", tool_calls=[call()]))
    assert kinds(made) == ["text", "tool_use", "text"]
    assert made["content"][2]["text"] == "(The endpoint's moderation ended this answer here.)"


# Stop sequences


@pytest.mark.parametrize(
    ("text", "stops", "left", "found"),
    [
        ("one END two", ["END"], "one ", "END"),
        ("one END two", ["two", "END"], "one ", "END"),
        ("aab", ["b", "ab"], "a", "ab"),
        ("one EN", ["END"], "one EN", None),
        ("one", [], "one", None),
        ("one", ["", 5, None], "one", None),
        ("ENENDED", ["END"], "EN", "END"),
        ("one END", ["x" * 1001, "END"], "one ", "END"),
        ("x" * 1001, ["x" * 1001], "x" * 1001, None),
    ],
)
def test_a_stop_sequence_ends_the_answer(text: str, stops: Any, left: str, found: str | None) -> None:
    made = message(answer(content=text), stop_sequences=stops)
    assert made["content"] == [{"type": "text", "text": left}]
    assert (made["stop_reason"], made["stop_sequence"]) == ("stop_sequence" if found else "end_turn", found)


def test_nothing_is_answered_behind_a_stop_sequence() -> None:
    said = {"content": "one END two", "refusal": "No.", "tool_calls": [call()]}
    made = message(answer("tool_calls", **said), stop_sequences=["END"])
    assert made["content"] == [{"type": "text", "text": "one "}]
    assert made["stop_reason"] == "stop_sequence"


def test_a_stop_sequence_in_thinking_or_arguments_is_none() -> None:
    made = message(
        answer("tool_calls", reasoning_content="END", content="a", tool_calls=[call(arguments='{"END": 1}')]),
        stop_sequences=["END"],
    )
    assert (kinds(made), made["stop_reason"]) == (["thinking", "text", "tool_use"], "tool_use")


@pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
def test_the_sequence_that_the_endpoint_names(field: str) -> None:
    chat = answer(content="one ")
    for given, found in (("END", "END"), ("other", None), (151643, None), (None, None)):
        chat["choices"][0][field] = given
        made = message(chat, stop_sequences=["END"])
        assert (made["stop_reason"], made["stop_sequence"]) == ("stop_sequence" if found else "end_turn", found)
    chat["choices"][0] |= {field: "END", "finish_reason": "length"}
    assert message(chat, stop_sequences=["END"])["stop_reason"] == "max_tokens"


# Usage


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"prompt_tokens": 50, "completion_tokens": 7}, (50, 0, 0, 7)),
        (USAGE, (30, 0, 20, 7)),
        ({"prompt_tokens": 50, "completion_tokens": 7, "cached_tokens": 20}, (30, 0, 20, 7)),
        ({"prompt_tokens": 50, "completion_tokens": 7, "cache_read_tokens": 20}, (30, 0, 20, 7)),
        ({"prompt_tokens": 50, "completion_tokens": 7, "prompt_cache_hit_tokens": 20}, (30, 0, 20, 7)),
        ({**USAGE, "cached_tokens": 20, "cache_creation_input_tokens": 5}, (25, 5, 20, 7)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "cached_tokens": 20}, (0, 0, 5, 7)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "cached_tokens": 4, "cache_creation_tokens": 9}, (0, 1, 4, 7)),
        ({"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 90}, (50, 0, 0, 40)),
        ({"prompt_tokens": 50, "total_tokens": 57}, (50, 0, 0, 7)),
        ({"completion_tokens": 7, "total_tokens": 57}, (50, 0, 0, 7)),
        ({"completion_tokens": 7}, (1000, 0, 0, 7)),
        ({"prompt_tokens": "50", "completion_tokens": -7}, (1000, 0, 0, 4)),
        ({"prompt_tokens": 50.0, "completion_tokens": True}, (50, 0, 0, 4)),
        ({"prompt_tokens": 50, "prompt_tokens_details": [1]}, (50, 0, 0, 4)),
        ({}, (1000, 0, 0, 4)),
        (None, (1000, 0, 0, 4)),
        ("many", (1000, 0, 0, 4)),
    ],
)
def test_usage(given: Any, wanted: tuple[int, int, int, int]) -> None:
    usage = message(answer(content="ten signs.", usage=given))["usage"]
    assert tuple(usage[name] for name in COUNTED) == wanted


def test_usage_inside_the_choice() -> None:
    chat = answer(content="a", usage=None)
    chat["choices"][0]["usage"] = USAGE
    assert message(chat)["usage"] == message({**chat, "usage": {}})["usage"] == COUNTED


# What is no proper answer


@pytest.mark.parametrize(
    "chat",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None, 5]},
        {"choices": [{"index": 1, "message": {"content": "another"}}]},
        {"choices": [{}]},
        {"choices": [{"message": "text", "finish_reason": {"a": []}}]},
        {"choices": [{"message": {"content": {"a": 1}, "tool_calls": {}, "reasoning_content": 5, "refusal": []}}]},
    ],
)
def test_an_answer_without_anything_is_a_message_without_content(chat: dict[str, Any]) -> None:
    made = message(chat)
    assert (made["content"], made["stop_reason"]) == ([], "end_turn")


def test_one_choice_is_answered() -> None:
    chat = answer(content="first")
    chat["choices"] = [{"index": 1, "message": {"content": "second"}}, *chat["choices"]]
    assert message(chat)["content"][0]["text"] == "first"


@pytest.mark.parametrize(
    "note", [{}, {"tool_names": [], "stop_sequences": "x", "thinking": 1, "input_tokens": "5", "model": None}]
)
def test_a_note_that_says_nothing(note: dict[str, Any]) -> None:
    made = Anthropic().answer(answer(reasoning_content="a", content="b", tool_calls=[call()]), note)
    assert json.loads(json.dumps(made)) == made
    assert kinds(made) == ["text", "tool_use"]


def test_the_chat_answer_stays_as_it_is() -> None:
    chat = answer(content="a", tool_calls=[call()], function_call={"name": "f"})
    before = json.dumps(chat)
    Anthropic().answer(chat, dict(NOTE))
    assert json.dumps(chat) == before
