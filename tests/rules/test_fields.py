"""Message fields."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.rules.fields import escape, fields
from tests.rule_context import context


def test_fields_outside_the_profile_go_and_are_named() -> None:
    body: dict[str, Any] = {
        "messages": [{"role": "assistant", "content": "ok", "annotations": [], "audio": None, "a/b": 1}]
    }
    changes = fields(body, context())
    assert body["messages"] == [{"role": "assistant", "content": "ok"}]
    assert [change.pointer for change in changes] == [
        "/messages/0/annotations",
        "/messages/0/audio",
        "/messages/0/a~1b",
    ]


@pytest.mark.parametrize(("content", "becomes"), [(None, "no"), ("", "no"), ("well", "well\n\nno")])
def test_a_refusal_becomes_content(content: str | None, becomes: str) -> None:
    body: dict[str, Any] = {"messages": [{"role": "assistant", "content": content, "refusal": "no"}]}
    fields(body, context())
    assert body["messages"] == [{"role": "assistant", "content": becomes}]


@pytest.mark.parametrize(
    ("content", "becomes"),
    [
        ("hi", "Ann: hi"),
        ([{"type": "text", "text": "hi"}], [{"type": "text", "text": "Ann: hi"}]),
        ("", ""),
        ([{"type": "image_url"}], [{"type": "text", "text": "Ann:"}, {"type": "image_url"}]),
    ],
)
def test_a_speakers_name_stands_before_the_text(content: Any, becomes: Any) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": content, "name": "Ann"}]}
    fields(body, context())
    assert body["messages"] == [{"role": "user", "content": becomes}]


def test_a_tools_name_is_not_a_speaker() -> None:
    body: dict[str, Any] = {"messages": [{"role": "tool", "content": "42", "name": "ls", "tool_call_id": "a"}]}
    fields(body, context())
    assert body["messages"] == [{"role": "tool", "content": "42", "tool_call_id": "a"}]


def test_tokenhub_takes_names() -> None:
    body = {"messages": [{"role": "user", "content": "hi", "name": "Ann"}]}
    assert fields(body, context("tokenhub")) == []


def test_escape() -> None:
    assert escape("a/b~c") == "a~1b~0c"


@pytest.mark.parametrize("beside", [{"refusal": "alpha"}, {"name": "Bob"}])
def test_a_part_without_a_list_stays_beside_the_text_of_another_field(beside: dict[str, Any]) -> None:
    part = {"type": "delta", "x": "kept"}
    body: dict[str, Any] = {"messages": [{"role": "user", "content": part, **beside}]}
    fields(body, context())
    assert part in body["messages"][0]["content"]
