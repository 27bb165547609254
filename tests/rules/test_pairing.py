"""Tool calls and their answers."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given

from addon.rules import calls, roles
from addon.rules import pairing as pairing_module
from addon.rules.pairing import pairing
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
        assert pairing_module._paired(body["messages"], context()) == (before, [])
