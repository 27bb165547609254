from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.anthropic import native_answers
from hunyuan_fix.wire import call_ids


@pytest.mark.parametrize(
    ("id", "taken", "new"),
    [
        ("functions.ls:0", [], "functions.ls:0"),
        ("functions.ls:0", ["functions.ls:0"], "functions.ls:1"),
        ("functions.ls:0", ["functions.ls:0", "functions.ls:1"], "functions.ls:2"),
        ("call_x", ["call_x"], "call_x_1"),
        ("7", ["7"], "8"),
    ],
)
def test_the_next_number(id: str, taken: list[str], new: str) -> None:
    assert call_ids.unused(id, taken) == new


@given(st.text(min_size=1, max_size=20), st.lists(st.text(max_size=20)))
def test_it_is_not_taken(id: str, taken: list[str]) -> None:
    assert call_ids.unused(id, [id, *taken]) not in [id, *taken]


@pytest.mark.parametrize(
    ("id", "counted"),
    [("functions.ls:0", True), ("call_12", True), ("toolu_01A9zQ", False), ("call_9f86d081884c", False), ("", False)],
)
def test_what_ends_with_a_number(id: str, counted: bool) -> None:
    assert call_ids.is_counted(id) is counted


def test_in_messages_the_ids_of_one_answer_are_bounded() -> None:
    block = {"type": "tool_use", "id": "functions.ls:0", "name": "ls", "input": {}}
    note: dict[str, Any] = {native_answers.CALL_IDS: ["functions.ls:0"]}
    body: dict[str, Any] = {"content": [dict(block) for _ in range(call_ids.MOST + 5)]}
    native_answers.repaired_answer(body, note)
    assert len(note[native_answers.CALL_IDS]) == call_ids.MOST
    assert body["content"][0]["id"] == "functions.ls:1"
    assert body["content"][-1]["id"] == "functions.ls:0"
