"""Requests that real programs sent (docs/facts/anthropic.md), translated and repaired for both strict endpoints.

`requests/CLIENT.json` holds them: long texts and images are cut, as the recorder left them. Tools and system texts,
which most of them share, are in lists of their own: a request has the place in the list.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.simulator.checks import ProfileName
from tests.dialects.anthropic.translating import refusal, repaired, translated


def recorded(path: Path) -> Iterator[Any]:
    """The requests of one client."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    for request in kept["requests"]:
        shared = {
            key: kept[key][request["body"][key]] for key in ("tools", "system") if type(request["body"].get(key)) is int
        }
        yield pytest.param({**request["body"], **shared}, id=f"{path.stem}-{request['number']}-{request['scenario']}")


REQUESTS = [
    request for path in sorted((Path(__file__).parent / "requests").glob("*.json")) for request in recorded(path)
]
BILLING = "x-anthropic-billing-header"


def test_all_clients_are_here() -> None:
    clients = {str(request.id).rsplit("-", 2)[0] for request in REQUESTS}
    assert len(REQUESTS) > 100
    assert {"claude-code", "opencode-anthropic", "langchain-anthropic"} <= clients


def said(value: Any) -> Iterator[str]:
    """The words of all texts, inputs and results: not of thinking, images and marks."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("text", "content", "context") and isinstance(item, str):
                yield from re.findall(r"\w+", item)
            elif key not in ("input", "source", "citations", "cache_control", "data"):
                yield from said(item)
        if value.get("type") == "tool_use":
            yield from re.findall(r"\w+", json.dumps(value["input"], ensure_ascii=False))
    elif isinstance(value, list):
        for item in value:
            yield from said(item)


def sent(chat: dict[str, Any]) -> Counter[str]:
    """The words of all contents and arguments."""
    parts: list[str] = []
    for message in chat["messages"]:
        content = message.get("content")
        parts += [content] if isinstance(content, str) else [part.get("text", "") for part in content or ()]
        parts += [call["function"]["arguments"] for call in message.get("tool_calls", ())]
    return Counter(re.findall(r"\w+", "\n".join(parts)))


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@pytest.mark.parametrize("body", REQUESTS)
def test_accepted_without_losing_a_word(body: dict[str, Any], profile: ProfileName) -> None:
    chat, _ = translated(body)
    assert refusal(chat, profile) is None
    given = Counter(said(body["messages"]))
    assert given <= sent(chat)
    assert given <= sent(repaired(chat, profile))


def turns(body: dict[str, Any]) -> tuple[str, str]:
    """What the requests of one conversation share: its system text, and its first message."""
    system = body.get("system", "")
    blocks = system if isinstance(system, list) else [{"text": system}]
    kept = [block["text"] for block in blocks if not block["text"].startswith(BILLING)]
    first = body["messages"][0]["content"]
    return json.dumps(kept), first if isinstance(first, str) else json.dumps([block.get("text") for block in first])


def conversations() -> list[Any]:
    """Neighbouring requests of one conversation."""
    pairs = []
    for before, after in itertools.pairwise(REQUESTS):
        short, long = before.values[0], after.values[0]
        if turns(short) == turns(long) and len(short["messages"]) < len(long["messages"]):
            pairs.append(pytest.param(short, long, id=f"{before.id} {after.id}"))
    return pairs


@pytest.mark.parametrize(("short", "long"), conversations())
def test_each_turn_begins_with_the_bytes_of_the_one_before(short: dict[str, Any], long: dict[str, Any]) -> None:
    before, after = (translated(body)[0]["messages"] for body in (short, long))
    assert json.dumps(after[: len(before)]) == json.dumps(before)


def test_there_are_conversations_of_several_turns() -> None:
    assert len(conversations()) >= 20
