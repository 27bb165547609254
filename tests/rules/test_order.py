"""Bridge, start and end."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.rules.bridge import bridge
from hunyuan_fix.rules.edges import edges
from tests.rule_context import context


def run(rule: Any, roles: str, profile_name: str = "hunyuan") -> str:
    """`S U A T` in, the same letters after the rule out."""
    names = {"S": "system", "U": "user", "A": "assistant", "T": "tool"}
    body: dict[str, Any] = {"messages": [{"role": names[letter], "content": "x"} for letter in roles]}
    changes = rule(body, context(profile_name))
    after = "".join(message["role"][0].upper() for message in body["messages"])
    assert bool(changes) == (after != roles)
    return after


@pytest.mark.parametrize(("roles", "after"), [("UATU", "UATAU"), ("UATTU", "UATTAU"), ("UAT", "UAT"), ("UATA", "UATA")])
def test_bridge(roles: str, after: str) -> None:
    assert run(bridge, roles) == after


A, B = (f"<system-reminder>\n{text}\n</system-reminder>" for text in "ab")
IMAGE = {"type": "image_url"}
BESIDE = {"type": "text", "text": context("hunyuan").texts.image_only}
"""A list needs a text: the rule placeholders has run before."""


@pytest.mark.parametrize(
    ("said", "result", "left"),
    [
        (A, A, None),
        (f"{A}\n\n{B}", f"{A}\n\n{B}", None),
        (f"\n{A} ", f"\n{A}", None),
        ([{"type": "text", "text": A}, {"type": "text", "text": B}], f"{A}\n\n{B}", None),
        (f"{A}\n\nGo on.", A, "Go on."),
        ([{"type": "text", "text": A}, {"type": "text", "text": "Go on."}], A, "Go on."),
        ([{"type": "text", "text": f"{A}Go on."}, {"type": "text", "text": B}], A, f"Go on.\n\n{B}"),
        ([{"type": "text", "text": A}, IMAGE], A, [BESIDE, IMAGE]),
        ("Go on.", "", "Go on."),
        (f"Go on.\n\n{A}", "", f"Go on.\n\n{A}"),
        ("<system-reminder> of what?", "", "<system-reminder> of what?"),
        (
            [IMAGE, {"type": "text", "text": A}],
            "",
            [IMAGE, {"type": "text", "text": A}],
        ),
    ],
)
def test_what_an_agent_adds_to_a_result_stands_in_it(said: Any, result: str, left: Any) -> None:
    before = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "x"}, {"role": "tool", "content": "r"}]
    body: dict[str, Any] = {"messages": [*before, {"role": "user", "content": said}]}
    changes = bridge(body, context("hunyuan"))
    tool, *after = body["messages"][2:]
    assert tool == {"role": "tool", "content": f"r\n\n{result}" if result else "r"}
    assert [message["role"] for message in after] == ([] if left is None else ["assistant", "user"])
    assert left is None or after[1]["content"] == left
    assert len(changes) == bool(result) + (left is not None)
    assert before[2] == {"role": "tool", "content": "r"}, "the client's own body may be shared"


def test_a_reminder_elsewhere_stays_where_it_is() -> None:
    messages = [
        {"role": role, "content": A} for role in ("user", "assistant", "user", "assistant", "tool", "assistant")
    ]
    body: dict[str, Any] = {"messages": list(messages)}
    assert bridge(body, context("hunyuan")) == []
    assert body["messages"] == messages


def test_many_reminders_take_no_longer_than_their_length() -> None:
    long = (A + "\n") * 50_000 + "<system-reminder>" * 50_000
    body: dict[str, Any] = {"messages": [{"role": "tool", "content": "r"}, {"role": "user", "content": long}]}
    bridge(body, context("hunyuan"))
    assert body["messages"][0]["content"].count("</system-reminder>") == 50_000


def test_tokenhub_takes_a_user_after_a_tool() -> None:
    assert run(bridge, "UATU", "tokenhub") == "UATU"
    body: dict[str, Any] = {"messages": [{"role": "tool", "content": "r"}, {"role": "user", "content": A}]}
    assert bridge(body, context("tokenhub")) == []


@pytest.mark.parametrize(
    ("roles", "after"),
    [("S", "SU"), ("A", "UAU"), ("SAU", "SUAU"), ("UA", "UAU"), ("SUAT", "SUAT"), ("U", "U"), ("", "U")],
)
def test_edges(roles: str, after: str) -> None:
    assert run(edges, roles) == after


def test_tokenhub_takes_a_prefilled_answer() -> None:
    assert run(edges, "UA", "tokenhub") == "UA"


@pytest.mark.parametrize("roles", ["S", "SA", "A", "AU", "U"])
def test_an_endpoint_that_documents_no_beginning_gets_what_came(roles: str) -> None:
    assert run(edges, roles, "moonshot") == roles


def test_no_list_stays_empty() -> None:
    assert run(edges, "", "moonshot") == "U"
