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


def test_tokenhub_takes_a_user_after_a_tool() -> None:
    assert run(bridge, "UATU", "tokenhub") == "UATU"


@pytest.mark.parametrize(
    ("roles", "after"),
    [("S", "SU"), ("A", "UAU"), ("SAU", "SUAU"), ("UA", "UAU"), ("SUAT", "SUAT"), ("U", "U"), ("", "U")],
)
def test_edges(roles: str, after: str) -> None:
    assert run(edges, roles) == after


def test_tokenhub_takes_a_prefilled_answer() -> None:
    assert run(edges, "UA", "tokenhub") == "UA"
