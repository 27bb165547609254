"""Neighbours of one role."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.rules.merge import merge
from tests.rule_context import call, context

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("a", "b", "a\n\nb"),
        ("", "b", "b"),
        ("a", None, "a"),
        (None, "", None),
        ([text("a")], [text("b")], "a\n\nb"),
        ([text("a")], None, [text("a")]),
        ("a", [IMAGE], [text("a"), IMAGE]),
        ([text("a"), IMAGE], [text("b"), text("c")], [text("a"), IMAGE, text("b\n\nc")]),
    ],
)
def test_contents_are_joined(first: Any, second: Any, joined: Any) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": first}, {"role": "user", "content": second}]}
    assert len(merge(body, context())) == 1
    assert body["messages"] == [{"role": "user", "content": joined}]


def test_codex_puts_each_call_into_a_message_of_its_own() -> None:
    """docs/facts/clients.md#histories: A(null, a) A(null, b) A("Let me look.")."""
    body: dict[str, Any] = {
        "messages": [
            {"role": "assistant", "content": None, "tool_calls": [{**call("a"), "index": 0}]},
            {"role": "assistant", "content": None, "tool_calls": [{**call("b"), "index": 0}]},
            {"role": "assistant", "content": "Let me look."},
        ]
    }
    merge(body, context())
    assert body["messages"] == [
        {"role": "assistant", "content": "Let me look.", "tool_calls": [call("a"), call("b")]},
    ]


def test_tool_messages_are_not_neighbours() -> None:
    body = {"messages": [{"role": "tool", "content": "a"}, {"role": "tool", "content": "b"}]}
    assert merge(body, context()) == []


def test_two_speakers_stay_told_apart() -> None:
    body: dict[str, Any] = {
        "messages": [{"role": "user", "name": "Ann", "content": "hi"}, {"role": "user", "name": "Bob", "content": "ho"}]
    }
    merge(body, context("tokenhub"))
    assert body["messages"] == [{"role": "user", "content": "Ann: hi\n\nBob: ho"}]


def test_reasoning_is_joined_where_it_is_kept() -> None:
    body: dict[str, Any] = {
        "messages": [
            {"role": "assistant", "content": "a", "reasoning_content": "x"},
            {"role": "assistant", "content": "b", "reasoning_content": "y"},
        ]
    }
    merge(body, context("tokenhub"))
    assert body["messages"] == [{"role": "assistant", "content": "a\n\nb", "reasoning_content": "x\n\ny"}]


def test_a_run_of_neighbours_is_joined_once() -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": words} for words in ("a", " ", None, "b", "c")]}
    changes = merge(body, context())
    assert body["messages"] == [{"role": "user", "content": "a\n\nb\n\nc"}]
    assert [change.pointer for change in changes] == [f"/messages/{index}" for index in (1, 2, 3, 4)]


def test_a_name_that_changes_stands_before_each_text() -> None:
    said = [("Ann", "1"), ("Ann", "2"), ("Bob", "3"), (None, "4")]
    messages = [{"role": "user", "content": words, **({"name": name} if name else {})} for name, words in said]
    body: dict[str, Any] = {"messages": messages}
    merge(body, context("tokenhub"))
    assert body["messages"] == [{"role": "user", "content": "Ann: 1\n\nAnn: 2\n\nBob: 3\n\n4"}]


@pytest.mark.parametrize("ids", [("a", "b", "a"), (None, "b", None), ("a", "b", "", "a", None, "b")])
def test_calls_under_one_id_are_never_joined(ids: tuple[str | None, ...]) -> None:
    """An id that comes again is a later turn's: which of the calls an answer belongs to could not be told."""
    body: dict[str, Any] = {
        "messages": [
            {"role": "assistant", "content": None, "tool_calls": [call(call_id, "ls", f'{{"n":{n}}}')]}
            for n, call_id in enumerate(ids)
        ]
    }
    merge(body, context())
    joined = [message["tool_calls"] for message in body["messages"]]
    assert [call for calls in joined for call in calls] == [
        call(call_id, "ls", f'{{"n":{n}}}') for n, call_id in enumerate(ids)
    ]
    for calls in joined:
        assert len({each.get("id") or "" for each in calls}) == len(calls)


def test_a_later_turn_takes_its_neighbours_with_it() -> None:
    texts_and_calls = [("1", ["a"]), ("2", []), ("3", ["a"]), ("4", ["b"]), ("5", ["a"])]
    body: dict[str, Any] = {
        "messages": [
            {"role": "assistant", "content": words, **({"tool_calls": [*map(call, ids)]} if ids else {})}
            for words, ids in texts_and_calls
        ]
    }
    merge(body, context())
    assert [message["content"] for message in body["messages"]] == ["1\n\n2", "3\n\n4", "5"]
