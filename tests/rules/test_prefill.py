"""An answer that the client has begun."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from hunyuan_fix.rules import apply_chat
from tests.rule_context import call, context

USER = {"role": "user", "content": "hi"}
BEGUN = {"role": "assistant", "content": "Sure, {"}


def fixed(*messages: Any, profile: str = "moonshot", model: str = "kimi-k2.6", **more: Any) -> list[Any]:
    body = copy.deepcopy({"model": model, "messages": list(messages), **more})
    apply_chat(body, context(profile, model))
    assert apply_chat(body, context(profile, model)) == []
    return list(body["messages"])


def test_the_beginning_of_an_answer_is_marked() -> None:
    assert fixed(USER, BEGUN) == [USER, {**BEGUN, "partial": True}]
    assert fixed(USER, {**BEGUN, "content": [{"type": "text", "text": "Sure"}]})[-1]["partial"] is True
    assert fixed(USER, BEGUN, response_format={"type": "text"})[-1]["partial"] is True


def test_what_the_client_says_itself_stays() -> None:
    for partial in (True, False):
        assert fixed(USER, {**BEGUN, "partial": partial}) == [USER, {**BEGUN, "partial": partial}]


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
def test_not_together_with_json(kind: str) -> None:
    assert fixed(USER, BEGUN, response_format={"type": kind}) == [USER, BEGUN]


def test_only_the_last_message_and_only_one_that_says_something() -> None:
    assert fixed(USER, BEGUN, USER) == [USER, BEGUN, USER]
    assert "partial" not in fixed(USER, {"role": "assistant", "content": " "})[-1]
    turn = {"role": "assistant", "content": "", "tool_calls": [call()], "reasoning_content": "x"}
    assert [message.get("partial") for message in fixed(USER, turn)] == [None] * 3


def test_what_was_said_between_a_call_and_its_result_goes_on_after_it() -> None:
    """As Codex 0.77 has it: the result moves up to its call, and what was said is last."""
    turn = {"role": "assistant", "content": "", "tool_calls": [call()], "reasoning_content": "x"}
    left = fixed(USER, turn, BEGUN, {"role": "tool", "tool_call_id": "a", "content": "done"})
    assert left[-1] == {**BEGUN, "partial": True}


def test_elsewhere_it_stays_as_it_is() -> None:
    assert fixed(USER, BEGUN, profile="tokenhub", model="hy3") == [USER, BEGUN]
    assert fixed(USER, BEGUN, profile="hunyuan", model="hunyuan-turbos-latest")[-1]["role"] == "user"


def test_an_endpoint_that_demands_a_question_at_the_end_gets_one() -> None:
    held = context("moonshot", "kimi-k2.6")
    held.profile = dataclasses.replace(
        held.profile, grammar=dataclasses.replace(held.profile.grammar, end_with_user=True)
    )
    body: dict[str, Any] = {"model": "kimi-k2.6", "messages": [USER, dict(BEGUN)]}
    apply_chat(body, held)
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
