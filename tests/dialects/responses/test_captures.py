"""Requests that real programs sent, translated and repaired for both strict endpoints."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from hunyuan_fix.simulator.checks import ProfileName
from tests.dialects.anthropic.translating import refusal, repaired
from tests.dialects.responses.captures import ALONE, RECORDED, Recorded, stands_alone
from tests.dialects.responses.judging import translated


def test_all_clients_are_here() -> None:
    clients = Counter(request.client for request in RECORDED)
    assert clients.keys() == {
        "codex-responses",
        "openai-python-responses",
        "ai-sdk-openai-responses",
        "copilot-responses",
    }
    assert len(ALONE) > 65


def leaves(value: Any) -> Iterator[str]:
    """All texts in a value, keys included."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from leaves(inner)
    if isinstance(value, str):
        yield value


def said(items: Any) -> Counter[str]:
    """The words of all texts, calls and outputs: not of reasoning, images and tools."""
    texts: list[str] = []
    for item in items if isinstance(items, list) else [{"content": items}]:
        for key in ("content", "output") if item.get("type") != "reasoning" else ():
            given = item.get(key, ())
            texts += [given] if isinstance(given, str) else [part.get("text", "") for part in given]
        texts += [item["input"]] if item.get("type") == "custom_tool_call" else []
        texts += leaves(json.loads(item["arguments"])) if item.get("type") == "function_call" else []
        texts += [item["name"]] if "name" in item else []
    return Counter(re.findall(r"[^\W_]+", "\n".join(texts)))


def sent(chat: dict[str, Any]) -> Counter[str]:
    """The words of all contents, names and arguments."""
    texts: list[str] = []
    for message in chat["messages"]:
        content = message.get("content")
        texts += [content] if isinstance(content, str) else [part.get("text", "") for part in content or ()]
        for call in message.get("tool_calls", ()):
            texts += [call["function"]["name"], *leaves(json.loads(call["function"]["arguments"]))]
    return Counter(re.findall(r"[^\W_]+", "\n".join(texts)))


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@pytest.mark.parametrize("request_", ALONE)
def test_accepted_without_losing_a_word(request_: Recorded, profile: ProfileName) -> None:
    chat, _ = translated(request_.body, request_.headers)
    assert refusal(chat, profile) is None
    given = said(request_.body["input"])
    assert given <= sent(chat)
    assert given <= sent(repaired(chat, profile))


def as_items(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [{"role": "user", "content": given}]


def conversations() -> list[Any]:
    """Neighbouring requests of one conversation."""
    pairs = []
    for before, after in itertools.pairwise(filter(stands_alone, RECORDED)):
        short, long = (as_items(request.body["input"]) for request in (before, after))
        if before.client == after.client and len(short) < len(long) and long[: len(short)] == short:
            pairs.append(pytest.param(before, after, id=f"{before.name} {after.name}"))
    return pairs


@pytest.mark.parametrize(("before", "after"), conversations())
def test_each_turn_begins_with_the_bytes_of_the_one_before(before: Recorded, after: Recorded) -> None:
    short, long = (translated(one.body, one.headers)[0]["messages"] for one in (before, after))
    assert json.dumps(long[: len(short)]) == json.dumps(short)


def test_there_are_conversations_of_several_turns() -> None:
    assert len(conversations()) >= 15
