"""Tool calls and their answers."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.exchange import Changes
from hunyuan_fix.rules import apply_chat, calls, roles
from hunyuan_fix.rules import pairing as pairing_module
from hunyuan_fix.rules.pairing import pairing
from tests.looped import each
from tests.rule_context import answer, call, context
from tests.strategies import histories

USER = {"role": "user", "content": "hm"}


def assistant(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": "ok", "tool_calls": list(calls)}


def paired(*messages: dict[str, Any]) -> tuple[list[Any], int]:
    body: dict[str, Any] = {"messages": [dict(message) for message in messages]}
    changes = pairing(body, context())
    return body["messages"], len(changes)


def test_a_good_run_stays_in_any_order_of_answers() -> None:
    history = [assistant(call("a"), call("b")), answer("b"), answer("a"), USER]
    assert paired(*history) == (history, 0)


def test_an_answer_found_later_moves_up() -> None:
    messages, changes = paired(assistant(call("a")), USER, answer("a"))
    assert messages == [assistant(call("a")), answer("a"), USER]
    assert changes == 1


def test_a_missing_answer_is_made_up() -> None:
    messages, _ = paired(assistant(call("a"), call("b")), answer("b"))
    assert messages == [assistant(call("a"), call("b")), answer("b"), answer("a", context().texts.missing_answer)]


def test_a_second_answer_is_joined_to_the_first() -> None:
    messages, _ = paired(assistant(call("a")), answer("a", "one"), USER, answer("a", "two"))
    assert messages == [assistant(call("a")), answer("a", "one\n\ntwo"), USER]


def test_an_answer_to_nothing_becomes_user_text_after_the_run() -> None:
    messages, _ = paired(assistant(call("a")), answer("x", "lost {words}"), answer("a"))
    assert messages[:2] == [assistant(call("a")), answer("a")]
    assert messages[2]["role"] == "user"
    assert "lost {words}" in messages[2]["content"]
    assert "x" in messages[2]["content"]


def test_an_answer_before_its_call_answers_nothing() -> None:
    messages, _ = paired(answer("a", "early"), USER, assistant(call("a")))
    assert [message["role"] for message in messages] == ["user", "user", "user", "assistant", "tool"]
    assert messages[-1]["content"] == context().texts.missing_answer


def test_found_later_ends_at_the_next_call_with_that_id() -> None:
    messages, _ = paired(assistant(call("a")), USER, assistant(call("a")), answer("a", "second"))
    assert [message.get("content") for message in messages if message["role"] == "tool"] == [
        context().texts.missing_answer,
        "second",
    ]
    assert messages[-1]["content"] == "second"


def test_ids_repeated_in_one_message_are_given_by_ordinal_with_their_answers() -> None:
    messages, _ = paired(assistant(call("a"), call("a")), answer("a", "one"), answer("a", "two"), answer("a", "three"))
    ids = [one["id"] for one in messages[0]["tool_calls"]]
    assert len(set(ids)) == 2
    assert messages[1:] == [answer(ids[0], "one"), answer(ids[1], "two\n\nthree")]


def test_missing_ids_are_given_by_ordinal_with_their_answers() -> None:
    messages, _ = paired(assistant(call(None), call(None)), answer(None, "one"), answer(None, "two"))
    ids = [one["id"] for one in messages[0]["tool_calls"]]
    assert messages[1:] == [answer(ids[0], "one"), answer(ids[1], "two")]


def test_an_answer_without_an_id_goes_to_the_call_that_waits() -> None:
    messages, _ = paired(assistant(call("a")), answer(None, "one"))
    assert messages == [assistant(call("a")), answer("a", "one")]


def test_a_call_without_an_id_takes_the_answer_whose_id_nobody_else_has() -> None:
    messages, _ = paired(assistant(call(None)), answer("z", "one"))
    assert messages[1]["content"] == "one"
    assert messages[1]["tool_call_id"] == messages[0]["tool_calls"][0]["id"]


def test_a_fresh_id_never_collides() -> None:
    messages, _ = paired(assistant(call("a"), call("a"), call("a_2")), answer("a_2", "third"))
    ids = [one["id"] for one in messages[0]["tool_calls"]]
    assert len(set(ids)) == 3
    third = next(message for message in messages if message.get("content") == "third")
    assert third["tool_call_id"] == ids[2]


def test_an_id_that_is_repeated_after_its_answer_is_not_taken_for_answered() -> None:
    messages, changes = paired(assistant(call("a")), answer("a"), answer("a"))
    assert [message["role"] for message in messages] == ["assistant", "tool"]
    assert changes == 1


@given(histories)
def test_what_counts_as_paired_would_not_be_changed(history: list[Any]) -> None:
    """The look that spares most histories the work says the same as the work."""
    body: dict[str, Any] = {"messages": history}
    for earlier in (roles.roles, calls.calls):
        earlier(body, context())
    if pairing_module._is_paired(body["messages"]):
        before = copy.deepcopy(body["messages"])
        assert pairing_module._paired(body["messages"], context()) == (before, Changes())


DONE = {"role": "assistant", "content": "Done."}
MISSING = context().texts.missing_answer


def turn(call_id: Any, number: int) -> dict[str, Any]:
    """An assistant message with one call, whose arguments and text say which it is; no id where it is `...`."""
    shaped = call(None, "ls", f'{{"n":{number}}}')
    if call_id is not ...:
        shaped["id"] = call_id
    return {"role": "assistant", "content": f"turn {number}", "tool_calls": [shaped]}


def result(call_id: Any, number: int) -> dict[str, Any]:
    message = {"role": "tool", "content": f"RESULT {number}"}
    return message if call_id is ... else {**message, "tool_call_id": call_id}


def results_by_call(messages: list[Any]) -> dict[int, str]:
    """What answers each call, by the number in its arguments. Checks that it stands right after it, under its id."""
    body: dict[str, Any] = {"model": "hunyuan-turbos-latest", "messages": copy.deepcopy(messages)}
    apply_chat(body, context(max_messages=10_000))
    found: dict[int, str] = {}
    calls: dict[str, int] = {}
    for message in body["messages"]:
        if message["role"] == "tool":
            assert isinstance(message["tool_call_id"], str)
            found[calls.pop(message["tool_call_id"])] = message["content"]
            continue
        assert not calls, "a call without an answer"
        given = message.get("tool_calls", [])
        calls = {each["id"]: json.loads(each["function"]["arguments"])["n"] for each in given}
        assert all(isinstance(call_id, str) and call_id for call_id in calls)
        assert len(calls) == len(given)
    assert not calls
    return found


IDS: list[tuple[Any, Any]] = [
    ("a", "a"),
    ("read:0", "read:0"),
    (None, None),
    (..., ...),
    ("", ...),
    (None, ...),
    (0, 0),
    (1, "1"),
    (1, 1.0),
    (2.5, "2.5"),
    (True, True),
    (False, "false"),
    ({"a": [1]}, {"a": [1]}),
    ([], "[]"),
    (2**70, 2**70),
]
"""An id as calls have it, and as answers do."""


@each(("of_call", "of_answer"), IDS)
@each("between", [[], [DONE], [USER], [USER, USER]])
def test_each_turn_s_result_is_its_own_under_ids_that_come_again(
    of_call: Any, of_answer: Any, between: list[Any]
) -> None:
    history: list[Any] = [{"role": "user", "content": "go"}]
    for number in range(5):
        history += [turn(of_call, number), result(of_answer, number), *between]
    assert results_by_call(history) == {number: f"RESULT {number}" for number in range(5)}


@each(("of_call", "of_answer"), IDS)
@each("calls", [1, 2, 3, 5])
@each("answers", [0, 1, 2, 3, 5])
def test_of_neighbouring_calls_under_one_id_the_last_are_answered(
    of_call: Any, of_answer: Any, calls: int, answers: int
) -> None:
    """The others were interrupted: fastagent-sh/fastagent#26."""
    answered = range(max(0, calls - answers), calls)
    history: list[Any] = [{"role": "user", "content": "go"}]
    history += [turn(of_call, number) for number in range(calls)]
    history += [result(of_answer, number) for number in answered]
    expected = {number: f"RESULT {number}" if number in answered else MISSING for number in range(calls)}
    assert results_by_call(history) == expected
    later = [USER, turn(of_call, calls), result(of_answer, calls)]
    assert results_by_call([*history, *later]) == {**expected, calls: f"RESULT {calls}"}


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 4), st.sampled_from([[], [USER], [DONE]])),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(IDS),
)
def test_results_stand_after_their_own_calls(turns: list[tuple[int, int, list[Any]]], ids: tuple[Any, Any]) -> None:
    history: list[Any] = [{"role": "user", "content": "go"}]
    expected: dict[int, str] = {}
    for count, answers, between in turns:
        numbers = range(len(expected), len(expected) + count)
        history += [turn(ids[0], number) for number in numbers]
        answered = numbers[max(0, count - answers) :] if answers else []
        history += [result(ids[1], number) for number in answered]
        # an answer, or a person, ends the turn: what the assistant says without either goes on with it
        history += between if answered else [USER]
        expected |= {number: f"RESULT {number}" if number in answered else MISSING for number in numbers}
    assert results_by_call(history) == expected


@pytest.mark.parametrize(("of_call", "of_answer"), IDS)
def test_an_answer_that_comes_later_moves_none_of_the_former(of_call: Any, of_answer: Any) -> None:
    calls_and_answers = [*(turn(of_call, number) for number in range(4)), result(of_answer, 2), result(of_answer, 3)]
    late = [USER, result(of_answer, 1), DONE, USER, result(of_answer, 0)]
    history = [{"role": "user", "content": "go"}, *calls_and_answers]
    assert results_by_call([*history, *late[:2]]) == {0: MISSING, 1: "RESULT 1", 2: "RESULT 2", 3: "RESULT 3"}
    assert results_by_call([*history, *late]) == {number: f"RESULT {number}" for number in range(4)}
    surplus = results_by_call([*history, *late, result(of_answer, 9)])
    assert set(" ".join(surplus.values()).split()) >= {"0", "1", "2", "3"}


def test_parallel_calls_that_stand_alone_become_one_message_again() -> None:
    history = [turn("a", 0), turn("b", 1), {"role": "assistant", "content": "k"}, result("b", 1), result("a", 0)]
    body: dict[str, Any] = {"messages": [USER, *history]}
    apply_chat(body, context())
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "tool"]
    assert results_by_call([USER, *history]) == {0: "RESULT 0", 1: "RESULT 1"}


def test_two_calls_under_one_id_and_one_answer_are_not_paired() -> None:
    messages, changes = paired(assistant(call("a"), call("a")), answer("a", "one"))
    first, second = (each["id"] for each in messages[0]["tool_calls"])
    assert first != second
    assert messages[1:] == [answer(first, "one"), answer(second, MISSING)]
    assert changes == 2


def test_an_answer_that_moves_over_an_orphan_is_named() -> None:
    body: dict[str, Any] = {"messages": [assistant(call("a"), call("b")), answer("a"), answer("x"), answer("b")]}
    changes = pairing(body, context())
    assert [message["role"] for message in body["messages"]] == ["assistant", "tool", "tool", "user"]
    assert sorted(change.pointer for change in changes) == ["/messages/2", "/messages/3"]
    assert [change.why for change in changes if change.pointer == "/messages/3"] == ["the answer moves up to its call"]


def test_an_answer_that_stays_before_an_orphan_is_not_named() -> None:
    body: dict[str, Any] = {"messages": [assistant(call("a")), answer("a"), answer("x")]}
    assert [change.pointer for change in pairing(body, context())] == ["/messages/2"]


def test_answers_in_other_places_come_in_their_order() -> None:
    history = [assistant(call("a"), call("b"), call("c")), answer("c"), USER, answer("b"), USER, answer("a")]
    messages, _ = paired(*history)
    assert messages[1:4] == [answer("c"), answer("b"), answer("a")]


def test_an_answer_without_an_id_never_takes_a_call_from_one_with_its_id() -> None:
    messages, _ = paired(assistant(call("a"), call("b")), answer(None, "one"), answer("a", "two"))
    assert messages[1:] == [answer("b", "one"), answer("a", "two")]
    messages, _ = paired(assistant(call("a")), answer(None, "one"), USER, answer("a", "two"))
    assert [message["role"] for message in messages] == ["assistant", "tool", "user", "user"]
    assert messages[1] == answer("a", "two")
    assert "one" in messages[2]["content"]


def test_answers_without_an_id_go_to_the_nearest_turn_that_waits() -> None:
    history = [assistant(call("a")), USER, assistant(call("b")), USER, answer(None, "one"), answer(None, "two")]
    messages, _ = paired(*history, answer(None, "three"))
    assert [m["content"] for m in messages if m["role"] == "tool"] == ["two", "one"]
    assert "three" in messages[-1]["content"]


def test_an_id_that_no_call_has_goes_to_a_call_without_one() -> None:
    history = [assistant(call(None)), USER, assistant(call("b")), USER, answer("z", "one"), answer("y", "two")]
    messages, _ = paired(*history)
    assert [m["content"] for m in messages if m["role"] == "tool"] == ["one", MISSING]
    assert "two" in messages[-1]["content"]


@pytest.mark.parametrize("odd", ["[x]\n[系统消息]", "\0", "{text}", "{0}"])
def test_an_orphan_s_id_stays_inside_its_mark(odd: str) -> None:
    messages, _ = paired(USER, answer(odd, odd))
    head, _, rest = messages[1]["content"].partition("\n")
    assert re.fullmatch(r"\[工具结果 [^\[\]]*\]", head)
    assert rest == f"{odd}\n[工具结果结束]"


def test_a_turn_that_is_answered_waits_no_more() -> None:
    messages, _ = paired(assistant(call("a")), USER, assistant(call("b")), answer("b", "b"), USER, answer(None, "a"))
    assert messages == [assistant(call("a")), answer("a", "a"), USER, assistant(call("b")), answer("b", "b"), USER]


def test_orphans_stand_in_their_order() -> None:
    messages, _ = paired(assistant(call("a")), answer(None, "one"), answer("z", "two"), answer("a", "three"))
    assert messages[1] == answer("a", "three")
    assert ["one" in messages[2]["content"], "two" in messages[3]["content"]] == [True, True]


def test_an_empty_id_is_none_though_its_answer_has_it_too() -> None:
    body: dict[str, Any] = {
        "messages": [{"role": "assistant", "content": "", "tool_calls": [call("")]}, answer("", "done")]
    }
    pairing(body, context())
    assert [body["messages"][0]["tool_calls"][0]["id"], body["messages"][1]["tool_call_id"]] == ["call_1", "call_1"]
