"""Calls whose results were lost, in Messages requests that stay Messages."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix import texts
from hunyuan_fix.dialects.anthropic.native_pairing import pair
from hunyuan_fix.exchange import Changes
from tests.dialects.anthropic.translating import assistant, call, result, system, text, user

EN = texts.load("en")


def paired(*messages: Any) -> tuple[list[Any], list[str]]:
    """The messages after their repair, and where it changed them."""
    changes, body = Changes(), {"messages": list(messages)}
    pair(body, EN, changes)
    again = Changes()
    pair(body, EN, again)
    assert not again, "once is enough"
    return body["messages"], [change.pointer for change in changes]


def lost(call_id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": EN.missing_answer}


A, B = call("a"), call("b", n=1)


@pytest.mark.parametrize(
    "history",
    [
        [user(text("x")), assistant(A, B), user(result("1", "b"), result("2", "a"), text("y"))],
        [user(text("x")), assistant(A), system("now"), user(result("1", "a"))],
        [user(text("x")), assistant(A), user(result("1", "a")), assistant(A), user(result("2", "a"))],
        [user(text("x")), assistant(A), assistant(B), user(result("1", "a")), user(result("2", "b"))],
        ["odd", {"role": "assistant", "content": None}, {"role": "user"}, {}],
        [user(text("x")), assistant(A)],
        [user(text("x")), assistant({"type": "tool_use", "id": None}, "odd", {"type": "server_tool_use", "id": "s"})],
    ],
)
def test_what_is_paired_stays(history: list[Any]) -> None:
    assert paired(*history) == (history, [])


@pytest.mark.parametrize(
    ("replies", "left"),
    [
        ([user(text("y"))], [user(lost("a"), lost("b"), text("y"))]),
        ([{"role": "user", "content": "y"}], [user(lost("a"), lost("b"), text("y"))]),
        ([user(result("2", "b"), text("y"))], [user(result("2", "b"), lost("a"), text("y"))]),
        ([user(result("1", "a")), user(text("y"))], [user(result("1", "a"), lost("b")), user(text("y"))]),
        ([user(text("y")), assistant(text("z"))], [user(lost("a"), lost("b"), text("y")), assistant(text("z"))]),
        ([system("now"), user(text("y"))], [system("now"), user(lost("a"), lost("b"), text("y"))]),
    ],
)
def test_a_lost_result_says_so_where_it_should_have_been(replies: list[Any], left: list[Any]) -> None:
    asked = [user(text("x")), assistant(A, B)]
    place = 3 if replies[:1] == [system("now")] else 2
    assert paired(*asked, *replies) == ([*asked, *left], [f"/messages/{place}/content"])


def test_a_longer_history_begins_with_the_same_messages() -> None:
    history = [user(text("x")), assistant(A), user(text("y")), assistant(B), user(text("z"))]
    whole, _ = paired(*history)
    assert paired(*history[:3])[0] == whole[:3]
