"""System messages."""

from __future__ import annotations

from typing import Any

from hunyuan_fix.rules.system import system
from tests.rule_context import context


def roles_and_texts(messages: list[Any]) -> list[tuple[str, Any]]:
    body: dict[str, Any] = {"messages": [{"role": role, "content": content} for role, content in messages]}
    system(body, context(language="en"))
    return [(message["role"], message["content"]) for message in body["messages"]]


def test_leading_ones_are_joined() -> None:
    assert roles_and_texts([("system", "a"), ("system", ""), ("system", "b"), ("user", "hi")]) == [
        ("system", "a\n\nb"),
        ("user", "hi"),
    ]


def test_empty_ones_go() -> None:
    assert roles_and_texts([("system", " "), ("user", "hi"), ("system", None)]) == [("user", "hi")]


def test_a_later_one_becomes_marked_user_text_in_its_place() -> None:
    assert roles_and_texts([("user", "hi"), ("system", "be {brief}"), ("assistant", "ok")]) == [
        ("user", "hi"),
        ("user", "[system message]\nbe {brief}\n[end of system message]"),
        ("assistant", "ok"),
    ]


def test_one_in_its_place_stays() -> None:
    body = {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "hi"}]}
    assert system(body, context()) == []


def test_a_later_one_with_a_part_that_is_no_text() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    [_, (role, content)] = roles_and_texts([("user", "hi"), ("system", [image, {"type": "text", "text": "b"}])])
    assert role == "user"
    assert content[0]["text"] == "[system message]"
    assert content[1] == image
    assert content[2]["text"] == "b\n[end of system message]"


def test_a_later_one_may_hold_the_template_s_own_words() -> None:
    assert roles_and_texts([("user", "hi"), ("system", "a {text} b\0{0}")]) == [
        ("user", "hi"),
        ("user", "[system message]\na {text} b\0{0}\n[end of system message]"),
    ]


def test_leading_ones_with_parts_are_joined_once() -> None:
    parts = [{"type": "text", "text": "b"}, {"type": "text", "text": " "}]
    assert roles_and_texts([("system", "a"), ("system", parts), ("system", None), ("system", "c")]) == [
        ("system", "a\n\nb\n\nc")
    ]
