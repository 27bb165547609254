"""Messages in chat."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.dialects.base import BadRequest
from tests.dialects.anthropic.translating import (
    assistant,
    call,
    messages_of,
    refusal,
    repaired,
    result,
    system,
    text,
    translated,
    user,
    whys,
)


def roles(messages: list[dict[str, Any]]) -> list[str]:
    return [message["role"] for message in messages]


def test_calls_and_results() -> None:
    messages = messages_of("list", assistant(text("Looking."), call(path="/a")), user(result("a.txt"), text("go on")))
    assert messages[1:] == [
        {
            "role": "assistant",
            "content": "Looking.",
            "tool_calls": [
                {"type": "function", "function": {"name": "ls", "arguments": '{"path":"/a"}'}, "id": "toolu_1"}
            ],
        },
        {"role": "tool", "content": "a.txt", "tool_call_id": "toolu_1"},
        {"role": "user", "content": "go on"},
    ]


def test_calls_alone_have_no_content() -> None:
    assert messages_of("x", assistant(text(""), call()))[1]["content"] is None


def test_parallel_results_stand_in_the_order_of_their_calls() -> None:
    calls = [call("a"), call("b"), call("c")]
    messages = messages_of(
        "x", assistant(*calls), user(result("C", "c"), result("A", "a"), text("!"), result("B", "b"))
    )
    assert [message["content"] for message in messages[2:]] == ["A", "B", "C", "!"]


def test_neighbouring_assistant_messages_are_one_turn() -> None:
    messages = messages_of("x", assistant(call("a")), assistant(call("b")), user(result("B", "b"), result("A", "a")))
    assert [message["content"] for message in messages[3:]] == ["A", "B"]


@pytest.mark.parametrize("content", [None, "", [], [text("")], [{"type": "redacted_thinking", "data": "x"}]])
def test_an_empty_message_stays_for_the_rules_to_fill(content: Any) -> None:
    chat, _ = translated({"messages": [{"role": "user", "content": content}, assistant("a"), user("b")]})
    assert chat["messages"][0] == {"role": "user", "content": ""}
    assert refusal(chat, "hunyuan") is None


@pytest.mark.parametrize(
    "beside", [{"output_config": {"effort": "low"}}, {"clear_at": "next_user_message", "content": []}]
)
def test_a_system_message_may_say_nothing(beside: dict[str, Any]) -> None:
    chat, note = translated({"messages": [user("x"), {"role": "system", **beside}]})
    assert chat["messages"] == [{"role": "user", "content": "x"}]
    assert whys(note, "/messages/1") == ["fields of a message other than role and content are dropped"]


def test_a_text_that_is_for_one_turn_stays_so_that_the_next_begins_with_the_same_bytes() -> None:
    reminder = {**system("now"), "clear_at": "next_user_message"}
    assert "now" in messages_of("x", reminder, assistant("y"), "z")[1]["content"]


def test_where_nothing_is_said_at_all_there_is_an_empty_message() -> None:
    assert messages_of(system([text("")])) == [{"role": "user", "content": ""}]


def test_a_late_result_finds_its_call() -> None:
    chat, _ = translated(
        {"messages": [user("x"), assistant(call("a"), call("b")), user(result("A", "a")), user(result("B", "b"))]}
    )
    messages = repaired(chat, "tokenhub")["messages"]
    assert [message.get("tool_call_id") for message in messages] == [None, None, "a", "b"]


def test_text_after_a_call_stands_before_it() -> None:
    message = messages_of("x", assistant(text("one"), call(), text("two")))[1]
    assert (message["content"], len(message["tool_calls"])) == ("one\n\ntwo", 1)


def test_an_answer_that_was_cut_at_citations_is_one_text() -> None:
    message = messages_of("x", assistant(text("Tea is "), text("old", citations=[{"cited_text": "x"}]), text(".")))[1]
    assert message["content"] == "Tea is old."


def test_what_an_assistants_text_loses_is_told() -> None:
    said = text("Tea.", citations=[{"cited_text": "x"}], cache_control={"type": "ephemeral"})
    _, note = translated({"messages": [user("x"), assistant(text("a"), said)]})
    assert whys(note, "/messages/1/content/1") == [
        "cache_control is dropped: the endpoint caches by itself",
        "citations are dropped: chat has none",
    ]


def test_thinking_is_reasoning_content_of_its_own_message() -> None:
    thinking = [{"type": "thinking", "thinking": word, "signature": ""} for word in ("one ", "two", "three")]
    messages = messages_of(
        "x", assistant(thinking[0], thinking[1], call()), user(result()), assistant(thinking[2], text("!"))
    )
    assert [message.get("reasoning_content") for message in messages] == [None, "one two", None, "three"]


def test_an_unanswered_call_is_answered_by_the_rules() -> None:
    chat, _ = translated({"messages": [user("x"), assistant(call()), user("never mind")]})
    assert roles(repaired(chat, "tokenhub")["messages"]) == ["user", "assistant", "tool", "user"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("it broke", "Error: it broke"),
        ("Error: it broke", "Error: it broke"),
        ("<tool_use_error>no</tool_use_error>", "<tool_use_error>no</tool_use_error>"),
        ([text("it"), text("broke")], "Error: it\n\nbroke"),
        (None, "Error:"),
        ([], "Error:"),
    ],
)
def test_a_failed_result_says_so(given: Any, sent: str) -> None:
    assert messages_of("x", assistant(call()), user(result(given, is_error=True)))[2]["content"] == sent


@pytest.mark.parametrize("given", [None, "", [], [text("")]])
def test_an_empty_result_is_still_a_result(given: Any) -> None:
    chat, _ = translated({"messages": [user("x"), assistant(call()), user(result(given))]})
    assert chat["messages"][2] == {"role": "tool", "content": "", "tool_call_id": "toolu_1"}
    assert repaired(chat, "tokenhub")["messages"][2]["content"].strip()


def test_a_result_that_is_neither_text_nor_blocks_is_json() -> None:
    assert messages_of("x", assistant(call()), user(result(5)))[2]["content"] == "5"


@pytest.mark.parametrize("given", ["note", [text("note")], [text("note", cache_control={"type": "ephemeral"})]])
def test_a_system_text_inside_the_list_is_user_text_where_it_stands(given: Any) -> None:
    messages = messages_of("one", system(given), assistant(text("two")), "three")
    assert messages[1] == {"role": "user", "content": "<system-reminder>\nnote\n</system-reminder>"}
    assert roles(messages) == ["user", "user", "assistant", "user"]


def test_a_reminder_isnt_marked_twice() -> None:
    already = "<system-reminder>\nnote\n</system-reminder>"
    assert messages_of("one", system(already))[1]["content"] == already


def test_a_system_text_before_all_others_stays_one() -> None:
    assert roles(messages_of(system("first"), "one", system("later"))) == ["system", "user", "user"]


def test_a_system_text_after_a_call_waits_for_the_result() -> None:
    messages = messages_of("x", assistant(call()), system("note"), user(result()), assistant(text("ok")))
    assert roles(messages) == ["user", "assistant", "tool", "user", "assistant"]
    assert "note" in messages[3]["content"]


def test_a_system_text_after_a_call_without_a_result_is_kept() -> None:
    assert "note" in messages_of("x", assistant(call()), system("note"))[-1]["content"]


def test_a_misplaced_result_and_call_are_kept() -> None:
    messages = messages_of("x", assistant(text("a"), result("odd", "gone")), user(call(path="/b")))
    assert roles(messages) == ["user", "assistant", "tool", "user"]
    assert "/b" in messages[3]["content"]


@pytest.mark.parametrize("call_id", [1, 1.0, "1"])
def test_ids_are_texts(call_id: Any) -> None:
    messages = messages_of("x", assistant(call(call_id)), user(result("y", call_id)))
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"] == "1"


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({}, "{}"),
        (None, "{}"),
        ("", "{}"),
        ('{"a": 1}', '{"a": 1}'),
        ({"__unparsedToolInput": {"raw": '{"a', "len": 3}}, '{"__unparsedToolInput":{"raw":"{\\"a","len":3}}'),
        ([1], '{"arguments":"[1]"}'),
    ],
)
def test_an_input_is_the_text_of_an_object(given: Any, arguments: str) -> None:
    block = {"type": "tool_use", "id": "t", "name": "ls", "input": given}
    assert messages_of("x", assistant(block))[1]["tool_calls"][0]["function"]["arguments"] == arguments


def test_other_fields_of_a_message_are_told() -> None:
    _, note = translated({"messages": [{"role": "user", "content": "x", "id": "msg_1"}] * 3})
    assert note["changes"] == [
        ["/messages/0", "fields of a message other than role and content are dropped (3 places)"]
    ]


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        (None, "messages"),
        ([], "messages"),
        ("hi", "messages"),
        ([5], "messages.0"),
        ([{"role": "user", "content": "x"}, {"role": "tool", "content": "x"}], "messages.1.role"),
        ([{"role": ["user"], "content": "x"}], "messages.0.role"),
        ([{"content": "x"}], "messages.0.role"),
        ([{"role": "user"}], "messages.0.content"),
    ],
)
def test_what_is_no_message_is_refused_with_its_place(messages: Any, place: str) -> None:
    with pytest.raises(BadRequest) as raised:
        translated({"messages": messages})
    assert raised.value.param == place
    assert raised.value.message.startswith(f"{place}: ")


def test_what_was_folded_is_told() -> None:
    _, note = translated({"messages": [user("a"), system("b"), assistant("c"), system("d")]})
    assert whys(note, "/messages/1") == ["a system message inside the list is user text where it stands (2 places)"]
